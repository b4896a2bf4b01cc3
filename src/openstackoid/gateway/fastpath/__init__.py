"""What HAProxy in front is taught."""
