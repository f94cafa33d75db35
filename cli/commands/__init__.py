"""The commands' options and help, by subject."""
