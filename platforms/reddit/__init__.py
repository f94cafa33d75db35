"""Reddit, by its OAuth API: texts, links, images and galleries in one subreddit."""

from platforms.reddit.platform import Reddit

PLATFORM = Reddit()
