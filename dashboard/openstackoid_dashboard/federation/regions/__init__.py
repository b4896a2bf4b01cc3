"""Virtual regions that this cloud offers."""
