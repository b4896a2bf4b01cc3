"""What providers offer to this cloud."""
