"""The events of workspaces: who listens, the feed, and how long they are kept."""
