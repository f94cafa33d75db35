"""Campaigns, and the operations on many posts."""
