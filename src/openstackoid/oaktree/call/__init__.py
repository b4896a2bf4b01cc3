"""`openstackoid oaktree call`: an oaktree's client for the shell. It knows the stubs, and nothing of the server."""
