"""A stack for development: real PostgreSQL, Temporal, sandbox, api and worker as watched child processes."""
