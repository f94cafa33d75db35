"""HTTP to untrusted servers: connections, requests, bounded responses, and whether a failed request had an effect."""
