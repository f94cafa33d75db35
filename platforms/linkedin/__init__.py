"""LinkedIn, by its Posts API: texts, images, videos, documents and articles of members and of company pages."""

from platforms.linkedin.platform import LinkedIn

PLATFORM = LinkedIn()
