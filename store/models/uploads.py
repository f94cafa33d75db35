"""Uploads: files that clients have sent, or may send."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.uploads import UploadState
from store.models.base import Base, Id


class Upload(Base):
    """A file of a workspace. Its bytes are in the storage."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(Id, unique=True)
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
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    """Random bytes, which sign the addresses to which its bytes are sent; null takes none."""
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

    __table_args__ = (
        Index("uploads_of_workspace", "workspace_id", "id", postgresql_include=["state", "reserved"]),
        Index("uploads_to_expire", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("uploads_to_fetch", "fetch_at", postgresql_where=text("fetch_at IS NOT NULL")),
    )

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
    token: Mapped[str] = mapped_column(Id, unique=True)
    """The part of its address that cannot be guessed. It does not tell the address of the whole file."""
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    """A JPEG; null while it is to be made, and if it cannot be made."""
    due_at: Mapped[datetime | None]
    """When a worker makes it next; null once it is made or given up."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often a worker has begun to make it."""
    error_code: Mapped[str | None]
    """Why it was given up."""

    __table_args__ = (
        Index("thumbnails_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("thumbnails_of_workspace_due", "workspace_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )


class UploadUse(Base):
    """An upload that a post names, in its own fields or in those of a target. Triggers write it."""

    __tablename__ = "upload_uses"

    upload_id: Mapped[str] = mapped_column(Id, ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    target_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """The target whose fields name it; empty for the post's own. No foreign key: a trigger deletes it."""

    __table_args__ = (Index("uses_of_post", "post_id", "target_id"),)
