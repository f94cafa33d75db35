"""Reddit, by its OAuth API: texts, links, images and galleries in one subreddit."""

from platforms.reddit.network import Reddit

NETWORK = Reddit()
