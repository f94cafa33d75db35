"""A client of SocialSyncer: it repeats what is safe to repeat, and nothing else."""

from socialsyncer_client.async_client import AsyncClient
from socialsyncer_client.client import Client
from socialsyncer_client.errors import (
    AuthenticationFailed,
    Conflict,
    ConnectionFailed,
    CursorExpired,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ResponseError,
    ServerFailed,
    SocialSyncerError,
    UploadFailed,
    UploadInterrupted,
    WaitTimeout,
    WebhookVerificationError,
)
from socialsyncer_client.generated import models
from socialsyncer_client.generated.events import AnyEvent, EventBody
from socialsyncer_client.imports import CampaignImport
from socialsyncer_client.webhooks import verify_webhook

__all__ = [
    "AnyEvent",
    "AsyncClient",
    "AuthenticationFailed",
    "CampaignImport",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CursorExpired",
    "EventBody",
    "InvalidRequest",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ResponseError",
    "ServerFailed",
    "SocialSyncerError",
    "UploadFailed",
    "UploadInterrupted",
    "WaitTimeout",
    "WebhookVerificationError",
    "models",
    "verify_webhook",
]
