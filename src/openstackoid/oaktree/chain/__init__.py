"""Other oaktrees, as clouds of this one."""
