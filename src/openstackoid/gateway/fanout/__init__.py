"""One request to several clouds: in parallel or one after the other, with the answers merged into one."""
