"""Images on their way into clouds."""
