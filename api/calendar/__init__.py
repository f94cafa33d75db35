"""The endpoints under /v1/calendar."""
