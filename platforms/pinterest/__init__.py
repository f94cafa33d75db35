"""Pinterest, by its API v5: pins with an image, a carousel or a video, on a board."""

from platforms.pinterest.platform import Pinterest

PLATFORM = Pinterest()
