"""Examples of the errors that the API can answer with, by what a request is about."""
