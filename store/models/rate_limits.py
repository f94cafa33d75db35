"""Rate limits of accounts."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class RateLimitBucket(Base):
    """The rate limit of one account in one step, as its platform last reported it; its row is the lock for slots.

    It belongs to the platform's account as one server knows it, whichever workspaces have connected it. Reports of
    another server about an account of the same name do not count.
    """

    __tablename__ = "rate_limit_buckets"

    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    server: Mapped[str] = mapped_column(Id, primary_key=True)
    """Host and port of the server of the account."""
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    step: Mapped[str] = mapped_column(Id, primary_key=True)
    """The step: publish or prepare."""
    reported_at: Mapped[datetime | None]
    """The reported quota does not count slots that were taken after this."""
    reported_remaining: Mapped[int | None]
    """Null although `reported_until` is set: the platform was asked and reported no quota."""
    reported_until: Mapped[datetime | None]
    """Until when only `reported_remaining` slots are given, and the platform is not asked again."""
    query_lease_until: Mapped[datetime | None]
    """Until when only one process may ask the platform for the quota."""
    reported_limit: Mapped[int | None]
    """The limit that its platform reported for the longest window of its rules, if it reports one."""


class RateLimitSlot(Base):
    """A target's send under a rate limit, done or reserved. Outlives its target: the platform still counts it."""

    __tablename__ = "rate_limit_slots"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """The order in which slots are given."""
    platform: Mapped[str] = mapped_column(Id)
    server: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    step: Mapped[str] = mapped_column(Id)
    target_id: Mapped[str] = mapped_column(Id)
    last_attempt_id: Mapped[int] = mapped_column(BigInteger)
    """The id of the target's last send before this slot, 0 if there was none: each send needs a slot of its own."""
    at: Mapped[datetime]
    taken: Mapped[bool]

    __table_args__ = (
        Index("rate_limit_slots_of_target", "target_id", "step", "last_attempt_id", unique=True),
        Index("rate_limit_slots_of_account", "platform", "server", "account_id", "step", "at"),
    )
