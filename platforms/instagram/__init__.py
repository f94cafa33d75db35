"""Instagram (professional accounts, Instagram Login): images, carousels, reels and stories."""

from platforms.instagram.platform import Instagram

PLATFORM = Instagram()
