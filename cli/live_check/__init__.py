"""The live check: marked posts on a real account are published, found and deleted, to test an adapter's assumptions."""
