"""Virtual regions and contracts as values: no I/O, no clock."""
