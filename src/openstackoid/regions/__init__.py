"""Virtual regions: the control planes of providers, which offer parts of their clouds, and of aggregators, which use them under names of their own."""
