"""The activities that connect, check and remove accounts."""
