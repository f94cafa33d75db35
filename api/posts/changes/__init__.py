"""The changes of posts: a module for each, and those that they share."""
