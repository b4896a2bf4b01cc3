"""Trust between clouds: agreements, keys, tokens, projects, and the catalogs of peers."""
