"""Where a server listens, who calls it, and what they may."""
