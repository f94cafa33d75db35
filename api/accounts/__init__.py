"""The connected accounts of a workspace: their list, their health, and their removal."""
