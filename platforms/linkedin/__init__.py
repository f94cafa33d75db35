"""LinkedIn, by its Posts API: texts, images, videos, documents and articles of members and company pages."""

from platforms.linkedin.platform import LinkedIn

PLATFORM = LinkedIn()
