"""Facebook Pages: texts, links, photos, videos, reels and stories."""

from platforms.facebook.platform import Facebook

PLATFORM = Facebook()
