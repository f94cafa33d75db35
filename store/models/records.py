"""The records of steps, changes and requests for posts, rate limits of accounts, and files."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.uploads import UploadState
from store.models.base import Base, Id, WorkspaceRow


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


class Upload(WorkspaceRow):
    """A file of a workspace. Its bytes are in the storage."""

    __tablename__ = "uploads"

    token: Mapped[str] = mapped_column(Id)
    """The part of its public address that cannot be guessed."""
    key: Mapped[str]
    """The name of its bytes in the storage. Each claim has a new one, so that no writer touches another's bytes."""
    filename: Mapped[str]
    content_type: Mapped[str]
    """The type that the client has named, in lower case and without parameters."""
    sniffed_type: Mapped[str | None]
    """The type that its first bytes show."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Its bytes: what the client has named, and once it is ready, what came."""
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    """As `size`; null in a ready row only if the bytes went to the storage past this service."""
    etag: Mapped[str | None]
    """The storage's own name of its bytes, once it is ready: other bytes under its key are not this file."""
    reserved: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Its bytes as they count in the workspace's quota."""
    state: Mapped[str] = mapped_column(server_default=text(f"'{UploadState.PENDING.value}'"))
    """A domain.uploads.UploadState; `state_at` knows ended claims."""
    address_nonce: Mapped[bytes] = mapped_column(LargeBinary)
    """Random bytes, signed with its id in the addresses to which its bytes are sent. They are no key."""
    claimed_until: Mapped[datetime | None]
    """Until when the process that writes its bytes has claimed it; if past, that process has ended."""
    part_size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes of each part but the last; null if it comes in one piece."""
    multipart_id: Mapped[str | None]
    """The storage's own name of the upload in parts, until that is complete."""
    expires_at: Mapped[datetime | None]
    """When a worker looks whether something holds it, and deletes it if not; later while it is held."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that began it."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    source_url: Mapped[str | None] = mapped_column(deferred=True)
    """Where a worker fetches its bytes; null if its client sends them, and once nothing is fetched any more.

    It may hold a key, so it is read only to be fetched.
    """
    fetch_at: Mapped[datetime | None]
    """When a worker fetches its bytes next; null if none does."""
    fetches: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often a worker has begun to fetch them."""
    error_code: Mapped[str | None]
    """A domain.codes.UploadErrorCode: why they were not fetched."""
    error: Mapped[str | None]
    """The same as a sentence for its owner."""

    def state_at(self, now: datetime) -> UploadState:
        """Return its state: a claim that has ended counts no more."""
        state = UploadState(self.state)
        if state is UploadState.UPLOADING and (self.claimed_until is None or self.claimed_until <= now):
            return UploadState.PENDING
        return state


class Thumbnail(Base):
    """A small picture of an upload, which a worker makes once the upload is ready. Other uploads have no row."""

    __tablename__ = "thumbnails"

    upload_id: Mapped[str] = mapped_column(Id, ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    """The upload's; workers take the workspaces in turn by it."""
    token: Mapped[str] = mapped_column(Id)
    """The part of its address that cannot be guessed. It does not tell the address of the whole file."""
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    """A JPEG; null while it is to be made, and if it cannot be made."""
    due_at: Mapped[datetime | None]
    """When a worker makes it next; null once it is made or given up."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often a worker has begun to make it."""
    error_code: Mapped[str | None]
    """Why it was given up."""


class UploadUse(Base):
    """An upload that a post names, in its own fields or in those of a target. Triggers write it."""

    __tablename__ = "upload_uses"

    upload_id: Mapped[str] = mapped_column(Id, ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    target_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """The target whose fields name it; empty for the post's own. No foreign key: a trigger deletes it."""


class HostedFile(Base):
    """A file for a platform that fetches files itself; every client with its token may read it."""

    __tablename__ = "media_files"

    token: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    content_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]


class MediaCheck(Base):
    """The content of a validation whose files a worker checks, and the findings. Deleted after minutes."""

    __tablename__ = "media_checks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    content: Mapped[dict[str, Any]]
    """A domain.content.PostContent."""
    findings: Mapped[dict[str, Any]]
    """The errors of the files of each target, by its position. A target without an entry was not checked."""
    expires_at: Mapped[datetime]


class Attempt(Base):
    """One step towards a platform: written before the request that makes a post public, closed after its response."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    target_id: Mapped[str] = mapped_column(Id, ForeignKey("targets.id", ondelete="CASCADE"))
    step: Mapped[str]
    """prepare, publish, confirm, edit, resolve or correct."""
    state: Mapped[str]
    """sending, done, refused or unconfirmed; `sending` left behind by a crash reads as unconfirmed."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    http_status: Mapped[int | None]
    code: Mapped[str | None]
    request_id: Mapped[str | None]
    decision: Mapped[str | None]
    """The decision about it and its reason, for the person on call."""
    next_attempt_at: Mapped[datetime | None]
    """When the step is taken again, if that was decided."""
    request_sent: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether its public request was sent. If the attempt is open or unconfirmed, it may have been."""
    claim: Mapped[dict[str, Any] | None]
    """A domain.attempts.Claim: the refusal that the answer claims to be, if the outcome is unconfirmed."""
    sendable_until: Mapped[datetime | None]
    """Until when its request may be sent unless this row is asked again (domain.ownership.FENCE): the database's time.

    Null if the row does not say so: it was written by an older process, or is the attempt of another step.
    """


class AuditEvent(Base):
    """An entry of the audit trail: who did what to a post. Outlives the post (`store.audit`)."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    post_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str]
    """A domain.audit.Action."""
    actor_type: Mapped[str] = mapped_column(server_default=text("'api_key'"))
    """A domain.audit.ActorType. The API may not set it, so its lines are those of API keys."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    platform: Mapped[str | None] = mapped_column(Id)
    """With `account_id`, the target of the entry; null if it is about the post as a whole."""
    account_id: Mapped[str | None] = mapped_column(Id)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """Details by the names of domain.audit, bounded and without content or secrets."""


class AccountEvent(Base):
    """A line of the audit trail of accounts: who connected or removed one. Outlives the account."""

    __tablename__ = "account_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    platform: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str]
    """A domain.audit.AccountAction."""
    actor_type: Mapped[str]
    """A domain.audit.ActorType."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """The account's name at the platform, and the state of its access there; no secrets."""


class Revision(Base):
    """An edit that the API passes to a post's workflow by id, because no content may be in a payload."""

    __tablename__ = "revisions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"))
    body: Mapped[dict[str, Any]]
    state: Mapped[str]
    """waiting, applied or refused."""
    created_at: Mapped[datetime]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    param: Mapped[str | None]


class IdempotencyKey(Base):
    """A key that a client sent.

    The row outlives the key's 24 hours: as long as a post of the key exists, its generation keeps workflow ids apart.
    """

    __tablename__ = "idempotency_keys"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Id, primary_key=True)
    generation: Mapped[int]
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    post_id: Mapped[str] = mapped_column(Id)
    """The thing that the request makes or changes: a post, an upload, a webhook, or an operation on many posts."""
    revision_id: Mapped[str | None] = mapped_column(Id)
    """The edit that the request asks for, if it asks for one."""
    post_ids: Mapped[list[str] | None]
    """The posts that a request for many has found by its filter: a repeated request continues with the same ones."""
    expires_at: Mapped[datetime]
    """Infinite for an operation: its key expires when the operation is deleted."""
    response_status: Mapped[int | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    check_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '24 hours'"))
    """When it is checked next whether the response, or the whole row, can be deleted."""
