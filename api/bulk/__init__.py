"""Requests that concern many posts: each post by itself, through the call that also serves it alone."""
