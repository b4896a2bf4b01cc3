"""`openstackoid doctor`: what is wrong with a gateway and what it depends on, and what to do about it."""
