"""Commands that call the HTTP API as any client does, with a workspace's key."""
