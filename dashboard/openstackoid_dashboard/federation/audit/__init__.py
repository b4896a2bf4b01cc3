"""Who used what."""
