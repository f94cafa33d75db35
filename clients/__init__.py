"""The clients of the API, in packages of their own, and the command that builds them."""
