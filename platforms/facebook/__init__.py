"""Facebook Pages: texts, links, photos, videos, reels and stories."""

from platforms.facebook.network import Facebook

NETWORK = Facebook()
