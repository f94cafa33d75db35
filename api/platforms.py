"""Serve the platforms' rules as data, so that clients can check a post while it is being written."""

from functools import lru_cache
from typing import Any, Literal

from litestar import Controller, Response, get
from pydantic import ConfigDict, Field

from api.auth import AUTHENTICATED, WorkspaceId
from api.dependencies import Deps
from api.http.headers import HttpRequest
from api.http.query import read_query
from api.posts.answers.views import PlatformName, View, write
from domain.post import MediaType
from platforms.access.connect import connectors
from platforms.base import AnyPlatform
from platforms.registry import platforms
from platforms.rules import FileRule
from store.apps.setups import platforms_with_app


class TextRuleView(View):
    """The limits of a text's length."""

    limit: int = Field(description="The most units of a text.", examples=[280])
    premium_limit: int | None = Field(description="The most for paying accounts, if it differs.", examples=[25000])
    with_media: dict[str, int] = Field(
        description="The most with media of a type, if it differs: of a caption.",
        examples=[{"image": 1024}],
    )
    unit: str = Field(description="What is counted.", examples=["weighted characters"])
    source: str = Field(description="The source of the number.", examples=["help.x.com"])


class MediaRuleView(View):
    """The number of media that a post may have."""

    required: bool = Field(description="Whether every post needs media.", examples=[True])
    max_items: int = Field(description="The most media items in a post.", examples=[10])
    max_of: dict[str, int] = Field(
        description="The most items of each type; types that are missing are not taken.", examples=[{"image": 10}]
    )
    mixes: bool = Field(description="Whether one post may hold several types.", examples=[True])
    source: str = Field(description="The source of the numbers.", examples=["developers.facebook.com"])


class FileRuleView(View):
    """The limits of one type of media file; null means no limit."""

    type: MediaType = Field(description="The type of media item.", examples=["image"])
    content_types: list[str] = Field(
        description="What the platform takes; images of other types are converted to JPEG.", examples=[["image/jpeg"]]
    )
    min_bytes: int | None = Field(description="The smallest file.", examples=[75000])
    max_bytes: int | None = Field(description="The largest file.", examples=[8388608])
    min_seconds: float | None = Field(description="The shortest video.", examples=[3])
    max_seconds: float | None = Field(description="The longest video.", examples=[900])
    min_width: int | None = Field(description="In pixels.", examples=[250])
    max_width: int | None = Field(description="In pixels; wider images are scaled down.", examples=[6000])
    min_height: int | None = Field(description="In pixels.", examples=[250])
    max_height: int | None = Field(description="In pixels; higher images are scaled down.", examples=[6000])
    max_shorter: int | None = Field(
        description="Pixels of the shorter side; larger images are scaled down.", examples=[1080]
    )
    max_longer: int | None = Field(
        description="Pixels of the longer side; larger images are scaled down.", examples=[1920]
    )
    min_ratio: float | None = Field(description="Width divided by height, at least.", examples=[0.8])
    max_ratio: float | None = Field(description="Width divided by height, at most.", examples=[1.91])
    same_sides: bool = Field(
        description="Whether the images of one post are scaled to the same sides, and refused if their shapes differ.",
        examples=[False],
    )
    shrinks: bool = Field(description="Whether too large an image is compressed, not refused.", examples=[False])
    source: str = Field(description="The source of the numbers.", examples=["developers.facebook.com"])


class ConnectRuleView(View):
    """The way to connect an account of a platform."""

    method: Literal["oauth", "code", "credentials", "both"] = Field(
        description=(
            "`oauth`: by an authorization at the platform. `code`: by a code that a person posts where this service's "
            "bot is. Credentials are taken, too. `both`: by credentials, and by an authorization if the connection is "
            "begun with the `options`."
        ),
        examples=["oauth"],
    )
    configured: bool = Field(
        description="Whether it works here: by an authorization, whether this service has an app there.",
        examples=[True],
    )
    options: dict[str, list[str]] = Field(
        description="Parameters of beginning a connection, with their values; any value if there are none.",
        examples=[{"as": ["member", "pages", "both"]}],
    )


class PlatformView(View):
    """The rules of one platform. Accounts on servers of their own may have others, which publishing goes by."""

    model_config = ConfigDict(title="PlatformRules")

    platform: PlatformName = Field(description="The platform.")
    label: str = Field(description="Its name for people.", examples=["Instagram"])
    text: TextRuleView = Field(description="The limit of a text.")
    media: MediaRuleView = Field(description="The limits of the number of media.")
    files: list[FileRuleView] = Field(description="What the files must be, type by type.")
    alt_text: int | None = Field(
        description="The most characters of a media item's altText; null if no limit is known or none is accepted.",
        examples=[1000],
    )
    connect: ConnectRuleView = Field(description="How an account is connected.")
    settings: dict[str, Any] = Field(
        description="The JSON Schema of platformSpecificData.", examples=[{"type": "object", "properties": {}}]
    )


class PlatformsView(View):
    """Every platform there is."""

    model_config = ConfigDict(title="PlatformList")

    platforms: list[PlatformView] = Field(description="In alphabetical order.")


class PlatformEndpoints(Controller):
    """Endpoints of the rules, which are the same for all callers."""

    path = "/v1/platforms"
    dependencies = AUTHENTICATED

    @get("/")
    async def list_platforms(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Return the rules of all platforms."""
        read_query(request)
        async with deps.database.reading() as session:
            with_app = await platforms_with_app(session, workspace_id)
        return Response(_written(with_app), media_type="application/json")


def platform_view(platform: AnyPlatform, *, with_app: bool = True) -> PlatformView:
    """Return a platform's rules as clients read them; `with_app` says that the operator has an app there."""
    text, media = platform.rules.text, platform.rules.media
    return PlatformView(
        platform=platform.name,
        label=platform.label,
        text=TextRuleView(
            limit=text.limit,
            premium_limit=text.premium_limit,
            with_media=dict(text.with_media),
            unit=text.unit,
            source=text.source,
        ),
        media=MediaRuleView(
            required=media.required,
            max_items=media.max_items,
            max_of=dict(media.max_of),
            mixes=media.mixes,
            source=media.source,
        ),
        files=[_file_view(rule) for rule in platform.rules.files],
        alt_text=platform.rules.alt_text,
        connect=_connect_view(platform.name, with_app=with_app),
        settings=platform.settings.model_json_schema(),
    )


def _file_view(rule: FileRule) -> FileRuleView:
    same = {name: getattr(rule, name) for name in FileRuleView.model_fields if hasattr(rule, name)}
    return FileRuleView(type=rule.kind, content_types=list(rule.types), **same)


def _connect_view(platform: str, *, with_app: bool) -> ConnectRuleView:
    connector = connectors().get(platform)
    if connector is None or not (with_app or connector.needs_app):
        return ConnectRuleView(method="credentials", configured=True, options={})
    options = {name: list(values) for name, values in connector.options.items()}
    if connector.asked_for_by is not None:
        return ConnectRuleView(method="both", configured=True, options=options)
    return ConnectRuleView(method="code" if connector.by_code else "oauth", configured=with_app, options=options)


@lru_cache(maxsize=16)
def _written(with_app: frozenset[str]) -> bytes:
    views = [platform_view(each, with_app=name in with_app) for name, each in sorted(platforms().items())]
    return write(PlatformsView(platforms=views))
