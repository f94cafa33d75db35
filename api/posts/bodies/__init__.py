"""What clients write: the bodies of requests, read, and held against the rules of the platforms."""
