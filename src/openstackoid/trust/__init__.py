"""Trust between clouds of different owners: keys, federated tokens, agreements."""
