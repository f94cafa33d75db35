"""One durable workflow per post. Deterministic: no I/O, no clock but Temporal's."""
