"""What can be asked of clouds: kinds of resources, their messages, lists, and single ones."""
