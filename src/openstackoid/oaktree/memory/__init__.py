"""What clouds answered, remembered."""
