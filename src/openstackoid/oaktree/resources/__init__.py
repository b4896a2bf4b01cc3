"""Resources of clouds: kinds, messages, lists, and single resources."""
