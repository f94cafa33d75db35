"""Find location, camera and other metadata in each file format; pictures and sound are never touched."""
