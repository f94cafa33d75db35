"""Webhooks: endpoints of clients, the keys that seal their secrets, and what is delivered to them."""
