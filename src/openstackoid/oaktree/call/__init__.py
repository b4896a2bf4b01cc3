"""`openstackoid oaktree call`: an oaktree's client for the shell. It uses the stubs only, and does not depend on the server."""
