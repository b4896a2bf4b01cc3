"""What the commands of all packages have in common: the program, its list of commands, and their base classes, on cliff."""
