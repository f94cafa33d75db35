"""Functions that build one client each."""
