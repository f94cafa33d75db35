"""The endpoints under /v1/pauses."""
