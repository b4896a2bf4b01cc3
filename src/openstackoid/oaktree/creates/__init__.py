"""Creates in many clouds, recorded as operations in SQL."""
