"""The audit trails: who did what to posts, and to accounts."""
