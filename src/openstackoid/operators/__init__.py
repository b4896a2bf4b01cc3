"""The operators' commands: agreements with peers, a cloud's keys, searches in the audit."""
