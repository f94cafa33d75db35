"""Webhooks: the endpoints of clients, and the deliveries of events to them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.webhooks import WebhookStatus
from store.models.base import Base, Id
from store.models.events import Xid8


class HandoverKey(Base):
    """A pair of keys: with the public one the API seals secrets that only workers may read (store.secrets.handover)."""

    __tablename__ = "handover_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed by the workers' vault."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Webhook(Base):
    """An endpoint of a client, which gets the workspace's events."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    url: Mapped[str]
    events: Mapped[list[str]]
    """Values of domain.events.EventType, or `*` (wants_event_v1)."""
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed with the public key `secret_key`; the API may not read it."""
    secret_key: Mapped[str] = mapped_column(Id)
    older_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    older_secret_key: Mapped[str | None] = mapped_column(Id)
    older_until: Mapped[datetime | None]
    """Until when requests are signed with the older secret, too."""
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    disabled_reason: Mapped[str | None]
    """A domain.webhooks.DisabledReason."""
    disabled_at: Mapped[datetime | None]
    enabled_at: Mapped[datetime | None]
    """When it was last switched off, and on again: between them it gets no events (make_deliveries_v1)."""
    failing_since: Mapped[datetime | None]
    """When the first of the failures began that no success has followed."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of failures since the last success."""
    last_failure: Mapped[str | None]
    """Why the last request failed."""
    last_failed_event: Mapped[str | None] = mapped_column(Id)
    last_delivered_at: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    """When one event is sent next, to find out whether the endpoint works again; null while nothing is held back."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (Index("webhooks_of_workspace", "workspace_id", "id"),)

    @property
    def status(self) -> WebhookStatus:
        """Return its status, as clients read it."""
        if not self.enabled:
            return WebhookStatus.DISABLED
        if self.failing_since is not None:
            return WebhookStatus.FAILING
        return WebhookStatus.UNCHECKED if self.last_delivered_at is None else WebhookStatus.ACTIVE


class Delivery(Base):
    """An event for an endpoint. Kept for 30 days.

    There is no foreign key to the endpoint: it would lock the endpoint's row in every transaction that writes an event.
    """

    __tablename__ = "deliveries"

    webhook_id: Mapped[str] = mapped_column(Id, primary_key=True)
    event_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, server_default=text("'dlv_' || replace(uuidv7()::text, '-', '')"))
    cause: Mapped[str] = mapped_column(server_default=text("'event'"))
    """A domain.webhooks.DeliveryCause."""
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    """A domain.webhooks.DeliveryState."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of attempts of its schedule; probes do not count."""
    next_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    claimed_until: Mapped[datetime | None]
    """Until when a worker sends it; if past, that worker ended before it wrote the result."""

    __table_args__ = (
        Index("deliveries_by_id", "id", unique=True),
        Index("deliveries_waiting", "webhook_id", "next_at", postgresql_where=text("state = 'waiting'")),
    )


class DeliveryProgress(Base):
    """The events whose deliveries are made: all of transactions before `low`. One row."""

    __tablename__ = "delivery_progress"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    low: Mapped[int] = mapped_column(Xid8)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """When it was written last."""

    __table_args__ = (CheckConstraint('"only"', name="delivery_progress_has_one_row"),)


class DeliveryAttempt(Base):
    """A request to an endpoint, and its answer."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(Id, ForeignKey("deliveries.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    ms: Mapped[int]
    """Milliseconds until the answer, or until there was none."""
    http_status: Mapped[int | None]
    error: Mapped[str | None]
    """Why it counts as failed; null if it is delivered."""
    response: Mapped[str | None]
    """The beginning of the answer's body."""

    __table_args__ = (Index("attempts_of_delivery", "delivery_id", "id"),)
