"""The endpoints under /v1/campaigns."""
