"""Access to channels of YouTube: on Google's own page people choose which one."""

from platforms.google.access import GoogleConnector
from platforms.youtube.settings import YouTubeCredentials

_AT = "https://www.googleapis.com/auth/youtube"


class YouTubeConnector(GoogleConnector[YouTubeCredentials]):
    """Google's authorization. The scopes, in order: uploads; a lost upload; comments, captions, thumbnails."""

    name = "youtube"
    scopes = (f"{_AT}.upload", f"{_AT}.readonly", f"{_AT}.force-ssl")
    optional_scopes = frozenset({f"{_AT}.force-ssl"})
    wider_scopes = {_AT: _AT, f"{_AT}.force-ssl": _AT}  # noqa: RUF012


CONNECTOR = YouTubeConnector()
