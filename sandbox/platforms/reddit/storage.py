"""Reddit's storage: a lease, then an upload by a signed form."""

import secrets

from sandbox.fake_platform import route
from sandbox.formats import probe
from sandbox.platforms.reddit.base import Asset, FakeReddit
from sandbox.wire import Answer, MalformedBodyError, Request

LARGEST = 20 << 20
"""Unverified."""
TYPES = ("image/jpeg", "image/png", "image/gif")
_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code></Error>'
_DONE = '<?xml version="1.0" encoding="UTF-8"?><PostResponse><Location>{}</Location></PostResponse>'


class StorageRoutes(FakeReddit):
    """The routes of leases and the storage."""

    @route("POST", "/api/media/asset.json", "prepare")
    async def lease(self, request: Request) -> Answer:
        """Grant a lease."""
        account, form = self.account(request), request.form()
        kind = str(form.get("mimetype", ""))
        if not form.get("filepath") or kind not in TYPES:
            return self.failure(400, "Bad Request")
        asset_id = secrets.token_hex(7)
        key, action = f"rte_images/{asset_id}", f"{request.base_url}/storage/{asset_id}"
        self.assets.put(asset_id, Asset(asset_id, account.account_id, key, f"{action}/{key}", kind))
        fields = {
            "acl": "private",
            "key": key,
            "x-amz-credential": "ASIA0000000000000000/20260115/us-east-1/s3/aws4_request",
            "x-amz-security-token": secrets.token_urlsafe(64),
            "Content-Type": kind,
            "policy": secrets.token_urlsafe(96),
            "x-amz-signature": secrets.token_hex(32),
        }
        listed = [{"name": name, "value": value} for name, value in fields.items()]
        websocket = {"asset_id": asset_id, "websocket_url": f"wss://sandbox.invalid/{asset_id}"}
        # Reddit's own address has no scheme; here the client would then use TLS.
        return Answer.json({"args": {"action": action, "fields": listed}, "asset": websocket})

    @route("POST", "/storage/{id}", "prepare")
    async def store(self, request: Request) -> Answer:
        """Receive the file, which must be the last field of the form, after all fields of the lease."""
        asset = self.assets.get(request.params["id"])
        try:
            fields = request.fields()
        except MalformedBodyError:
            fields = []
        names = [name for name, _ in fields]
        if asset is None or dict(fields).get("key") != asset.key or not {"policy", "x-amz-signature"} <= set(names):
            return Answer.text(_ERROR.format("AccessDenied"), 403, "application/xml")
        content = fields[-1][1]
        if names[-1] != "file" or not isinstance(content, bytes):
            return Answer.text(_ERROR.format("InvalidArgument"), 400, "application/xml")
        if len(content) > LARGEST:
            return Answer.text(_ERROR.format("EntityTooLarge"), 400, "application/xml")
        file_format = probe(content)
        # A file that is no image is stored nevertheless; its post then never appears.
        asset.stored = file_format is not None and file_format.content_type == asset.content_type
        if file_format is not None and asset.stored:
            asset.src = self.keep_upload(asset.id, file_format.content_type, content)
        self.assets.put(asset.id, asset)
        return Answer.text(_DONE.format(asset.url), 201, "application/xml")
