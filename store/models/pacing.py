"""How often accounts may publish."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Lane(Base):
    """What one account may do in one step, as its network last told; its row is the lock that turns are given under.

    It is the network's account, whichever workspaces have connected it, as one server knows it: what another server
    says of an account of the same name does not concern it.
    """

    __tablename__ = "lanes"

    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    server: Mapped[str] = mapped_column(Id, primary_key=True)
    """Host and port at which the account is reached."""
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    step: Mapped[str] = mapped_column(Id, primary_key=True)
    """publish or prepare."""
    told_at: Mapped[datetime | None]
    """Turns that were taken after this are not yet in what the network told."""
    told_left: Mapped[int | None]
    """Null although `told_until` is set: the network was asked and did not say."""
    told_until: Mapped[datetime | None]
    """Until when `told_left` is all there is, and the network need not be asked."""
    asking_until: Mapped[datetime | None]
    """Until when one process alone asks the network what is left."""
    told_limit: Mapped[int | None]
    """How many its network allows in the longest stretch of its rules, where it tells that."""


class Turn(Base):
    """A target's turn to send, or when that is expected to be. Outlives its target: the network counts on."""

    __tablename__ = "turns"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """In the order in which turns are given."""
    platform: Mapped[str] = mapped_column(Id)
    server: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    step: Mapped[str] = mapped_column(Id)
    target_id: Mapped[str] = mapped_column(Id)
    last_send: Mapped[int] = mapped_column(BigInteger)
    """The target's last send before this turn, 0 where there was none: each send needs a turn of its own."""
    at: Mapped[datetime]
    taken: Mapped[bool]

    __table_args__ = (
        Index("turns_of_target", "target_id", "step", "last_send", unique=True),
        Index("turns_of_account", "platform", "server", "account_id", "step", "at"),
    )
