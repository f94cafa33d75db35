"""A Page's line to Facebook."""

from platforms.base import Connection
from platforms.facebook.settings import FacebookCredentials
from platforms.meta.graph import Graph

GRAPH = Graph("v25.0")

Line = Connection[FacebookCredentials]
