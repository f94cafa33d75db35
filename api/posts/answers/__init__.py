"""What clients read: posts as the JSON of an answer, and their history as sentences."""
