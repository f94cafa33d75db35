"""TikTok: one video, or a carousel of photos."""

from platforms.tiktok.platform import TikTok

PLATFORM = TikTok()
