"""Serve the platforms' rules as data, so that clients can check a post while it is being written."""

from functools import lru_cache
from typing import Annotated, Any, Literal

from litestar import Controller, Response
from typing_extensions import TypedDict

from api.auth import AUTHENTICATED
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.views import PlatformName, described, example, view, write_json
from domain.post import MediaType
from platforms.access.bots import CodeConnector
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer
from platforms.base import AnyPlatform
from platforms.registry import platforms
from platforms.rules import FileRule
from store.apps import platforms_with_app


@view()
class TextRuleView(TypedDict):
    """The limits of a text's length."""

    limit: Annotated[int, described("The most units of a text.", 280)]
    premiumLimit: Annotated[int | None, described("The most for paying accounts, if it differs.", 25000)]
    withMedia: Annotated[dict[str, int], example({"image": 1024})]
    """The most with media of a type, if it differs: of a caption."""
    unit: Annotated[str, described("What is counted.", "weighted characters")]
    source: Annotated[str, described("The source of the number.", "help.x.com")]


@view()
class MediaRuleView(TypedDict):
    """The number of media that a post may have."""

    required: Annotated[bool, described("Whether every post needs media.", True)]
    maxItems: Annotated[int, described("The most media items in a post.", 10)]
    maxOf: Annotated[dict[str, int], example({"image": 10})]
    """The most items of each type; types that are missing are not taken."""
    mixes: Annotated[bool, described("Whether one post may hold several types.", True)]
    source: Annotated[str, described("The source of the numbers.", "developers.facebook.com")]


@view()
class FileRuleView(TypedDict):
    """The limits of one type of media file; null means no limit."""

    type: Annotated[MediaType, described("The type of media item.", "image")]
    contentTypes: Annotated[list[str], example(["image/jpeg"])]
    """What the platform takes; images of other types are converted to JPEG."""
    minBytes: Annotated[int | None, described("The smallest file.", 75000)]
    maxBytes: Annotated[int | None, described("The largest file.", 8388608)]
    minSeconds: Annotated[float | None, described("The shortest video.", 3)]
    maxSeconds: Annotated[float | None, described("The longest video.", 900)]
    minWidth: Annotated[int | None, described("In pixels.", 250)]
    maxWidth: Annotated[int | None, described("In pixels; wider images are scaled down.", 6000)]
    minHeight: Annotated[int | None, described("In pixels.", 250)]
    maxHeight: Annotated[int | None, described("In pixels; higher images are scaled down.", 6000)]
    maxShorter: Annotated[int | None, described("Pixels of the shorter side; larger images are scaled down.", 1080)]
    maxLonger: Annotated[int | None, described("Pixels of the longer side; larger images are scaled down.", 1920)]
    minRatio: Annotated[float | None, described("Width divided by height, at least.", 0.8)]
    maxRatio: Annotated[float | None, described("Width divided by height, at most.", 1.91)]
    sameSides: Annotated[bool, example(False)]
    """Whether the images of one post are scaled to the same sides, and refused if their shapes differ."""
    shrinks: Annotated[bool, described("Whether too large an image is compressed, not refused.", False)]
    source: Annotated[str, described("The source of the numbers.", "developers.facebook.com")]


@view()
class ConnectRuleView(TypedDict):
    """The way to connect an account of a platform."""

    method: Annotated[Literal["oauth", "code", "credentials", "both"], example("oauth")]
    """`oauth`: by an authorization at the platform. `code`: by a code that a person posts where this service's bot is.
    Credentials are taken, too. `both`: by credentials, and by an authorization if the connection is begun with the
    `options`."""
    configured: Annotated[bool, example(True)]
    """Whether it works here: by an authorization, whether this service has an app there."""
    options: Annotated[dict[str, list[str]], example({"as": ["member", "pages", "both"]})]
    """Parameters of beginning a connection, with their values; any value if there are none."""


@view("PlatformRules")
class PlatformView(TypedDict):
    """The rules of one platform. Accounts on servers of their own may have others, which publishing goes by."""

    platform: Annotated[PlatformName, described("The platform.")]
    label: Annotated[str, described("Its name for people.", "Instagram")]
    text: Annotated[TextRuleView, described("The limit of a text.")]
    media: Annotated[MediaRuleView, described("The limits of the number of media.")]
    files: Annotated[list[FileRuleView], described("What the files must be, type by type.")]
    altText: Annotated[int | None, example(1000)]
    """The most characters of a media item's altText; null if no limit is known or none is accepted."""
    connect: Annotated[ConnectRuleView, described("How an account is connected.")]
    settings: Annotated[dict[str, Any], example({"type": "object", "properties": {}})]
    """The JSON Schema of platformSpecificData."""


@view("PlatformList")
class PlatformsView(TypedDict):
    """Every platform there is."""

    platforms: Annotated[list[PlatformView], described("In alphabetical order.")]


def platform_view(platform: AnyPlatform, *, with_app: bool = True) -> PlatformView:
    """Return a platform's rules as clients read them; `with_app` says that the operator has an app there."""
    text, media = platform.rules.text, platform.rules.media
    return PlatformView(
        platform=platform.name,
        label=platform.label,
        text=TextRuleView(
            limit=text.limit,
            premiumLimit=text.premium_limit,
            withMedia=dict(text.with_media),
            unit=text.unit,
            source=text.source,
        ),
        media=MediaRuleView(
            required=media.required,
            maxItems=media.max_items,
            maxOf=dict(media.max_of),
            mixes=media.mixes,
            source=media.source,
        ),
        files=[_file_view(rule) for rule in platform.rules.files],
        altText=platform.rules.alt_text,
        connect=_connect_view(platform.name, with_app=with_app),
        settings=platform.settings.model_json_schema(),
    )


def _file_view(rule: FileRule) -> FileRuleView:
    return FileRuleView(
        type=rule.kind,
        contentTypes=list(rule.types),
        minBytes=rule.min_bytes,
        maxBytes=rule.max_bytes,
        minSeconds=_decimal(rule.min_seconds),
        maxSeconds=_decimal(rule.max_seconds),
        minWidth=rule.min_width,
        maxWidth=rule.max_width,
        minHeight=rule.min_height,
        maxHeight=rule.max_height,
        maxShorter=rule.max_shorter,
        maxLonger=rule.max_longer,
        minRatio=_decimal(rule.min_ratio),
        maxRatio=_decimal(rule.max_ratio),
        sameSides=rule.same_sides,
        shrinks=rule.shrinks,
        source=rule.source,
    )


def _decimal(number: float | None) -> float | None:
    """Return a number that is written with a decimal point, also if the rule has a whole one."""
    return None if number is None else float(number)


def _connect_view(platform: str, *, with_app: bool) -> ConnectRuleView:
    connector = connectors().get(platform)
    if connector is None or not (with_app or connector.needs_app):
        return ConnectRuleView(method="credentials", configured=True, options={})
    options = {name: list(values) for name, values in connector.options.items()}
    if isinstance(connector, FindsServer) and connector.takes_credentials:
        return ConnectRuleView(method="both", configured=True, options=options)
    return ConnectRuleView(
        method="code" if isinstance(connector, CodeConnector) else "oauth", configured=with_app, options=options
    )


@lru_cache(maxsize=16)
def _written(with_app: frozenset[str]) -> bytes:
    views = [platform_view(platform, with_app=name in with_app) for name, platform in sorted(platforms().items())]
    return write_json(PlatformsView(platforms=views))


class PlatformEndpoints(Controller):
    """Endpoints of the rules, which are the same for all callers."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="GET /v1/platforms",
        description=(
            "The limits of texts and how they are counted, the numbers and types of media, the limits of files, and "
            "the JSON Schema of every platform's settings. Posts are checked against the same rules when they are "
            "created or validated; files when they are fetched, before anything is sent."
        ),
        answer=PlatformsView,
        errors=("unknownQuery",),
    )
    async def list_platforms(self, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List the platforms and their rules."""
        async with deps.database.reading() as session:
            with_app = await platforms_with_app(session, workspace_id)
        return Response(_written(with_app), media_type="application/json")
