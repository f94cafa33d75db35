"""Posts: one module for each thing that clients do with them, and what these share."""
