"""The tables."""

from store.models.accounts import (
    Account,
    ApiKey,
    AppRefusal,
    AppSetup,
    ChoiceList,
    ConnectedAccount,
    PendingConnection,
    PendingRevocation,
    Workspace,
)
from store.models.base import Base, Id
from store.models.calendar_views import CalendarView
from store.models.campaigns import Campaign, Operation
from store.models.events import Event, Listener
from store.models.imports import Import, ImportedPost, ImportedRow
from store.models.maintenance import (
    BulkTurn,
    Deletion,
    Lease,
    Restore,
    SchemaState,
    ServiceState,
    StorageMarker,
    ZoneCheck,
)
from store.models.media import HostedFile, MediaCheck
from store.models.pauses import Gate, Pause
from store.models.posts import EXTERNAL_ID, WAITING, LatePost, Post, PostTag, Target
from store.models.queues import QUEUE_NAME, Queue, QueueAccount
from store.models.rate_limits import RateLimitBucket, RateLimitSlot
from store.models.records import AccountEvent, Attempt, AuditEvent, IdempotencyKey, Revision
from store.models.request_limits import RequestLimit
from store.models.series import OccurrenceEntry, Series
from store.models.uploads import Thumbnail, Upload, UploadUse
from store.models.webhooks import Delivery, DeliveryAttempt, DeliveryProgress, HandoverKey, Webhook

__all__ = [
    "EXTERNAL_ID",
    "QUEUE_NAME",
    "WAITING",
    "Account",
    "AccountEvent",
    "ApiKey",
    "AppRefusal",
    "AppSetup",
    "Attempt",
    "AuditEvent",
    "Base",
    "BulkTurn",
    "CalendarView",
    "Campaign",
    "ChoiceList",
    "ConnectedAccount",
    "Deletion",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryProgress",
    "Event",
    "Gate",
    "HandoverKey",
    "HostedFile",
    "Id",
    "IdempotencyKey",
    "Import",
    "ImportedPost",
    "ImportedRow",
    "LatePost",
    "Lease",
    "Listener",
    "MediaCheck",
    "OccurrenceEntry",
    "Operation",
    "Pause",
    "PendingConnection",
    "PendingRevocation",
    "Post",
    "PostTag",
    "Queue",
    "QueueAccount",
    "RateLimitBucket",
    "RateLimitSlot",
    "RequestLimit",
    "Restore",
    "Revision",
    "SchemaState",
    "Series",
    "ServiceState",
    "StorageMarker",
    "Target",
    "Thumbnail",
    "Upload",
    "UploadUse",
    "Webhook",
    "Workspace",
    "ZoneCheck",
]
