"""Changes in several clouds: creates, updates and deletes of resources whose members are in several clouds, on record before each step."""
