"""YouTube: videos and Shorts, in resumable uploads of which nothing is uploaded twice."""

from platforms.youtube.platform import YouTube

PLATFORM = YouTube()
