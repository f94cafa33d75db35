"""What clients do with posts: one module for each change, and what the changes share."""
