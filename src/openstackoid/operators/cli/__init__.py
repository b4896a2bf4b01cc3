"""The operators' commands, a module for each group: their options. What they do is in the package above, imported when they run."""
