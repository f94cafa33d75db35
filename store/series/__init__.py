"""Series and their occurrences: which posts exist, and what a change of a series does to them."""
