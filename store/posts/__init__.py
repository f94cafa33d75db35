"""Posts and their targets as clients create, change and read them, their idempotency keys, and their history."""
