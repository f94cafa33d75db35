"""An executable model of who owns a post, and a search through everything that can happen to it."""
