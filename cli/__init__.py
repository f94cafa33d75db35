"""The command line: a whole stack for development, and each part of it alone for production."""
