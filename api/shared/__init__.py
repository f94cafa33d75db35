"""The objects that all requests of one API process share."""
