"""Every name sent to LinkedIn must be one that a description of its API contains, with every header that it requires.

LinkedIn publishes no machine-readable description. The one used here is a third party's, for the names of fields only.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.linkedin import media
from tests.platforms.post_steps import every_step
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document, needs

DOCUMENT = "linkedin/UNOFFICIAL_zernio_linkedin.yaml"

pytestmark = needs(DOCUMENT)

PAGE = "urn:li:organization:77"
ARTICLE = {"source": "https://example.com", "title": "A page", "description": "Read", "thumbnail": "{}/_/media/c.jpg"}
ENVELOPES = {
    ("/linkedin/rest/posts", ""): "PostCreateRequest",
    ("/linkedin/rest/images", "initializeUpload"): "ImageUploadInitRequest",
    # Documents begin as images do; the description omits them.
    ("/linkedin/rest/documents", "initializeUpload"): "ImageUploadInitRequest",
    ("/linkedin/rest/videos", "initializeUpload"): "VideoUploadInitRequest",
}


def schemas() -> dict[str, Any]:
    entries: dict[str, Any] = document(DOCUMENT)["components"]["schemas"]
    return entries


def unknown(value: object, schema: dict[str, Any], where: str = "$") -> Iterator[str]:
    """Yield every field that the schema does not name."""
    if "$ref" in schema:
        schema = schemas()[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name not in schema["properties"]:
                yield f"{where}.{name}"
            else:
                yield from unknown(inner, schema["properties"][name], f"{where}.{name}")
    if isinstance(value, list):
        for inner in value:
            yield from unknown(inner, schema.get("items", {}), where)


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        ([], {"firstComment": "first"}),
        ([], {"article": ARTICLE}),
        ([], {"poll": {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}}),
        (["a.jpg"], {}),
        (["a.jpg", "b.jpg"], {"organizationUrn": PAGE}),
        (["a.mp4"], {"organizationUrn": PAGE}),
        (["a.pdf"], {"documentTitle": "A report"}),
    ],
)
async def test_every_request_uses_names_that_linkedin_knows(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, names: list[str], settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(media, "GRACE", timedelta())
    li = await connect("linkedin")
    if "article" in settings:
        settings = {"article": {**ARTICLE, "thumbnail": ARTICLE["thumbnail"].format(li.sandbox.url)}}
    context = li.context("A (text) #here", [li.sandbox.media(name, "shown") for name in names], settings=settings)
    async with noting() as (client, sent):
        await every_step(li, context, client)

    for request in sent:
        if "/rest/" in request.url.path:
            assert request.headers["linkedin-version"].isdecimal()
            assert request.headers["x-restli-protocol-version"] == "2.0.0"
        if request.method != "POST":
            continue
        assert request.headers["content-type"] == "application/json"
        body = httpx.Response(200, content=request.content).json()
        action = request.url.params.get("action", "")
        if request.url.path.endswith("/comments"):
            assert list(unknown(body, schemas()["CommentCreateRequest"])) == []
        elif action == "finalizeUpload":
            assert set(body["finalizeUploadRequest"]) == {"video", "uploadToken", "uploadedPartIds"}
        else:
            body = body.get("initializeUploadRequest", body)
            assert list(unknown(body, schemas()[ENVELOPES[request.url.path, action]])) == []


def test_a_misspelt_field_would_be_seen() -> None:
    body = {"author": "urn:li:person:1", "content": {"media": {"id": "urn:li:image:1", "alttext": "a"}}}
    assert list(unknown(body, schemas()["PostCreateRequest"])) == ["$.content.media.alttext"]
