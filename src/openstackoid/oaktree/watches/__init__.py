"""Changes of resources, told to all who wait."""
