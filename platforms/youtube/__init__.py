"""YouTube: videos and Shorts, uploaded so that a restart goes on where it stopped and nothing is uploaded twice."""

from platforms.youtube.platform import YouTube

PLATFORM = YouTube()
