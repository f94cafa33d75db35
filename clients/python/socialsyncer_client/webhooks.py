"""Verification of the requests of webhooks, signed after Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import cast

from socialsyncer_client.errors import WebhookVerificationError
from socialsyncer_client.generated.events import EventBody

_PREFIX = "whsec_"


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance: float = 300,
    now: float | None = None,
) -> EventBody:
    """Return the event of a webhook's request, if it is signed by the secret and at most `tolerance` seconds old.

    Its `event` says which form its `data` has. A newer server may send other kinds.

    Args:
        body: The body as it came, before anything has parsed it.
        headers: The request's headers, in any case.
        secret: The webhook's secret; several while one is replaced by another.
        tolerance: The seconds by which the request's time and this machine's clock may differ.
        now: The present time in seconds since 1970, for tests.

    Raises:
        WebhookVerificationError: The request is not signed by a secret, is too old, or has no event.
        ValueError: A secret has not the form of one.
    """
    content = body.encode() if isinstance(body, str) else body
    signed = {name.lower(): value for name, value in headers.items()}
    event_id, sent_at = signed.get("webhook-id", ""), signed.get("webhook-timestamp", "")
    # Checked as text: int() would also take signs, spaces and digits of other scripts.
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        raise WebhookVerificationError("The header webhook-timestamp is missing or no time.")
    if abs((time.time() if now is None else now) - int(sent_at)) > tolerance:
        raise WebhookVerificationError("The request is too old, or this machine's clock is wrong.")
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [_sign(known, event_id, sent_at, content) for known in secrets]
    if not _matches_any(signed.get("webhook-signature", ""), expected):
        raise WebhookVerificationError("The request is not signed by the webhook's secret.")
    try:
        event = json.loads(content)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookVerificationError("The request is signed, but its body is no event.")
    return cast("EventBody", event)


def _sign(secret: str, event_id: str, sent_at: str, content: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("This is no secret of a webhook: whsec_ and base64.") from None
    return hmac.new(key, f"{event_id}.{sent_at}.".encode() + content, hashlib.sha256).digest()


def _matches_any(header: str, expected: list[bytes]) -> bool:
    is_signed = False
    for signature in header.split(" "):
        version, _, encoded = signature.partition(",")
        if version != "v1":
            continue
        try:
            digest = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
        for known in expected:
            # All are compared, so that the time says nothing.
            is_signed |= hmac.compare_digest(digest, known)
    return is_signed
