"""JSON Schemas (2020-12) of what the control planes take and give: from operators, from files, from peers."""
