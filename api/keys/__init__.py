"""The keys of a workspace over HTTP, and what the key of a request may do."""
