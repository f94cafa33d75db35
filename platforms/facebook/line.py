"""A Page's line to Facebook."""

from datetime import date

from platforms.base import ApiVersion, Connection
from platforms.facebook.settings import FacebookCredentials
from platforms.meta.graph import Graph

API = ApiVersion("v25.0", date(2028, 7, 29), "Graph API changelog, October 29, 2026")
GRAPH = Graph(API.name)

Line = Connection[FacebookCredentials]
