"""Many posts of one request that are checked first and then created together, all or none."""
