"""The connected accounts of a workspace: which there are, how they are, and removing them."""
