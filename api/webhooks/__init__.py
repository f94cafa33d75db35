"""The API's part about webhooks: endpoints, and the log of what they got."""
