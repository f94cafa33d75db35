"""Thumbnails of files: in the library once they are made, and at addresses that no one can guess."""

import secrets

from litestar import Litestar

from media.admission import Admission
from media.decoder_pool import DecoderPool
from media.thumbnails import ThumbnailMaker
from reconcile.uploads import make_thumbnails
from tests.api.media.files import local, new_key, serving, upload_ready
from tests.media import files
from tests.stack import Stack

PICTURE = files.jpeg()


async def make_all(app: Litestar, stack: Stack) -> None:
    """Make the thumbnails that are due, as a worker does."""
    pool = DecoderPool()
    try:
        await make_thumbnails(stack.database, ThumbnailMaker(stack.database, app.state.deps.storage, Admission(), pool))
    finally:
        await pool.close()


async def test_a_thumbnail_is_in_the_library_and_served_to_everybody(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await upload_ready(client, PICTURE)
        document = await upload_ready(client, b"PK\x03\x04" + bytes(2000), filename="a.pptx")
        path = f"/v1/media/{upload['id']}"
        assert (await client.get(path)).json()["thumbnailUrl"] is None
        await make_all(app, stack)
        url = (await client.get(path)).json()["thumbnailUrl"]
        listed = {file["id"]: file["thumbnailUrl"] for file in (await client.get("/v1/media")).json()["media"]}
        assert listed == {upload["id"]: url, document["id"]: None}
        # The address of the picture does not tell that of the file.
        assert upload["publicUrl"].split("/")[-2] not in url
    async with serving(app, None) as client:
        url = local(client, url)
        answer = await client.get(url)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert 0 < len(answer.content) <= 8192
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=86400, immutable"
        head = await client.head(url)
        assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(answer.content)))
        known = await client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
        assert (known.status_code, known.content) == (304, b"")
        for token in (secrets.token_urlsafe(24), "a", "%00", "%C3%A4", upload["publicUrl"].split("/")[-2]):
            assert (await client.get(f"/media/t/{token}.jpg")).status_code == 404, token


async def test_a_deleted_file_has_no_thumbnail(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await upload_ready(client, PICTURE)
        await make_all(app, stack)
        url = (await client.get(f"/v1/media/{upload['id']}")).json()["thumbnailUrl"]
        url = local(client, url)
        assert (await client.get(url)).status_code == 200
        assert (await client.delete(f"/v1/media/{upload['id']}")).status_code == 200
        assert (await client.get(url)).status_code == 404
