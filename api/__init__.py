"""The Litestar app: routes, auth, idempotency, the error shape, OpenAPI."""
