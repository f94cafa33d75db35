"""Threads, by its own API: text, images, videos, carousels and threads of posts."""

from platforms.threads.platform import Threads

PLATFORM = Threads()
