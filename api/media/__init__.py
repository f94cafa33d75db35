"""Media: files that clients upload, and the public addresses at which platforms fetch files."""
