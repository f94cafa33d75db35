"""A Page's connection to Facebook."""

from datetime import date

from platforms.base import ApiVersion, Connection
from platforms.facebook.settings import FacebookCredentials
from platforms.meta.graph import Graph

API = ApiVersion("v25.0", date(2028, 7, 29), "Graph API changelog, October 29, 2026")
GRAPH = Graph(API.name)
BASE_URL = "https://graph.facebook.com"
VIDEO_URL = "https://graph-video.facebook.com"
"""The host to which Meta's guide and its own libraries upload videos; source:
developers.facebook.com/docs/graph-api/video-uploads."""
DOMAIN = "facebook.com"

FacebookConnection = Connection[FacebookCredentials]
