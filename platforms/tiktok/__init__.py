"""TikTok: one video, or a carousel of photos."""

from platforms.tiktok.network import TikTok

NETWORK = TikTok()
