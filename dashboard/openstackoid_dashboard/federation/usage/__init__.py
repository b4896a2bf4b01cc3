"""What was used under contracts, and what it costs."""
