"""YouTube: videos and Shorts, uploaded so that a restart goes on where it stopped and nothing is uploaded twice."""

from platforms.youtube.network import YouTube

NETWORK = YouTube()
