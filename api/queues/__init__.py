"""The endpoints under /v1/queues."""
