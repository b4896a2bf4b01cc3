"""The configuration file: its sections, what values may be, and a report of what it would serve."""
