"""What is agreed with other clouds: agreements, keys, tokens, projects, what peers serve."""
