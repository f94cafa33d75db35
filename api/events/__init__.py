"""The API's part about events: the feed."""
