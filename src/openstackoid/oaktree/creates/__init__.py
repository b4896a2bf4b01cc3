"""Creates in many clouds, on record."""
