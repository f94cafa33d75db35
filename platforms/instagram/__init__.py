"""Instagram (professional accounts, Instagram Login): images, carousels, reels and stories."""

from platforms.instagram.network import Instagram

NETWORK = Instagram()
