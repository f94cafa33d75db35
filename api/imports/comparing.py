"""The comparison of rows with the rows before and with posts, cell by cell, so that only what changed is changed."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic.alias_generators import to_camel
from sqlalchemy.ext.asyncio import AsyncSession

from api.imports.views import ImportQuery, RowResults
from api.posts.changes.create import taken_id
from api.posts.many.checking import CheckedPost, CheckedRows, RefusedRow
from api.posts.many.problems import cut
from domain.content import PostContent
from domain.errors import Problem
from domain.imports import OnConflict, OnExisting, RowOutcome
from domain.loop_share import LoopShare
from domain.moves import OnFailure, parse_delay
from domain.post import PUBLISH_WITHIN_S, Media, PostStatus
from domain.schedule import ScheduledTime, rfc3339
from store.models import Post
from store.posts.contents import post_content
from store.posts.imports import KnownPost, RowBefore, find_known, find_rows_before
from store.posts.queries import read_posts

Digests = Mapping[str, str]
"""The digest of each cell that is not empty."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "content": ("content",),
    "mediaItems": ("media_items",),
    "platforms": ("targets",),
    "scheduledFor": ("scheduled_for", "scheduled_wall"),
    "timezone": ("timezone",),
    "isDraft": (),
    "queue": (),
    "after": ("after_post_id", "after_delay", "after_on_failure"),
    "tags": ("tags",),
    "tiktokSettings": ("tiktok_settings",),
    "facebookSettings": ("facebook_settings",),
    "publishWithin": ("publish_within",),
    "campaignId": ("campaign_id",),
}
"""The fields of a post's content that each cell sets."""
FOR_PLATFORMS = frozenset({"content", "mediaItems", "platforms", "tiktokSettings", "facebookSettings"})
"""The cells that platforms have rules for."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a row or of a post."""

    content: PostContent
    is_draft: bool
    """Whether the post is to stay a draft. A post that waits for another one is none."""
    queue: str | None = None

    @classmethod
    def of_post(cls, post: Post) -> "Cells":
        """Return the cells of a post as it is now."""
        return cls(post_content(post), post.status == PostStatus.DRAFT and post.after_post_id is None, post.queue_id)

    @property
    def values(self) -> dict[str, Any]:
        """Return the value of each cell, the same for equal meanings."""
        content, at = self.content, self.content.scheduled_for
        within = content.publish_within
        return {
            "content": content.content and content.content.replace("\r\n", "\n").strip(),
            "mediaItems": _media(content.media_items),
            "platforms": sorted(
                [
                    target.platform,
                    target.account_id,
                    target.custom_content,
                    None if target.custom_media is None else _media(target.custom_media),
                    _settings(target.settings),
                ]
                for target in content.targets
            ),
            "scheduledFor": content.scheduled_wall or (rfc3339(at) if at else None),
            "timezone": content.timezone,
            "isDraft": self.is_draft,
            "queue": self.queue,
            "after": _after(content),
            "tags": sorted(set(content.tags)),
            "tiktokSettings": _settings(content.tiktok_settings),
            "facebookSettings": _settings(content.facebook_settings),
            "publishWithin": None if within == PUBLISH_WITHIN_S else within,
            "campaignId": content.campaign_id,
        }

    def digests(self) -> Digests:
        """Return the digests of the cells that are not empty."""
        return {name: _digest(value) for name, value in self.values.items() if value}

    def show(self, name: str) -> str | None:
        """Return the beginning of a cell for a person; None if it is empty."""
        value = self.values[name]
        if name == "platforms":
            value = " ".join(f"{platform}:{account}" for platform, account, *_ in value)
        if not value:
            return None
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return cut(text)

    def to_json(self, names: Collection[str]) -> dict[str, Any]:
        """Return some cells with their full values, as `from_json` reads them."""
        fields = {field for name in names for field in FIELDS[name]} | {"scheduled_for", "scheduled_wall", "timezone"}
        return {"content": self.content.model_dump(mode="json", include=fields), "isDraft": self.is_draft}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Cells":
        """Return the cells of such a document; all others are empty."""
        return cls(PostContent.model_validate(document["content"]), document["isDraft"])

    def with_cells(self, other: "Cells", names: Collection[str]) -> "Cells":
        """Return these cells with some of another's. Raises UnknownZone if the time zone no longer exists."""
        fields = {field: getattr(other.content, field) for name in names for field in FIELDS[name]}
        content = self.content.model_copy(update=fields)
        source = other.content if "scheduledFor" in names else self.content
        if source.scheduled_for is not None and not {"scheduledFor", "timezone"}.isdisjoint(names):
            time = ScheduledTime(source.scheduled_for, source.scheduled_wall, source.timezone)
            if content.timezone != source.timezone:
                time = time.in_zone(content.timezone)
            content.scheduled_for, content.scheduled_wall = time.instant, time.wall
            if "scheduledFor" in names:
                content.after_post_id = content.after_delay = content.after_on_failure = None
        is_draft = other.is_draft if "isDraft" in names else self.is_draft
        return replace(self, content=content, is_draft=is_draft and content.after_post_id is None)


def differing(first: Digests, second: Digests) -> set[str]:
    """Return the names of the cells that differ."""
    return {name for name in FIELDS if first.get(name) != second.get(name)}


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return b64encode(hashlib.sha256(canonical.encode()).digest()[:9]).decode()


def _media(items: list[Media]) -> list[list[str | None]]:
    return [[item.type.value, item.url, item.alt_text or None] for item in items]


def _settings(value: Any) -> Any:
    """Return settings with their names in camelCase, because clients may write both."""
    if isinstance(value, dict):
        return {to_camel(name): _settings(item) for name, item in value.items()}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def _after(content: PostContent) -> list[str] | None:
    if content.after_post_id is None:
        return None
    delay = str(parse_delay(content.after_delay)) if content.after_delay else ""
    return [content.after_post_id, delay, content.after_on_failure or OnFailure.SKIP.value]


CHANGED: Final = "changed_since_import"
"""The code of a conflict of a cell, whose sentence has both values after a colon."""
_QUEUE = Problem(
    "queue cannot be given for a post that exists: give scheduledFor, or PATCH the post", "invalid_field_value", "queue"
)
_BATCH = 200
"""Posts whose cells are read at once."""


@dataclass(frozen=True, slots=True)
class ExistingRow:
    """A row whose post exists."""

    row: CheckedPost
    cells: Cells
    digests: Digests
    """Of its cells; a cell that it leaves out counts as in the row before."""
    post_id: str
    before: RowBefore | None
    """The row before; None if it is not known, and the post may have been changed since."""
    refusal: RefusedRow | None = None
    """Why the row would be refused if it were new."""


@dataclass(slots=True)
class ComparedRows:
    """The rows of an import by what they find: no post, or one that they may change."""

    new: list[CheckedPost] = field(default_factory=list)
    differing: list[ExistingRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    learnt: dict[str, RowBefore] = field(default_factory=dict)
    """By external id the rows that are unchanged and of which no row before was known."""

    @property
    def of_unknown(self) -> list[int]:
        """Return the numbers of the rows that change posts, and of which no row before is known."""
        return [item.row.number for item in self.differing if item.before is None]


async def compare(
    session: AsyncSession,
    workspace_id: str,
    checked: CheckedRows,
    query: ImportQuery,
    results: RowResults,
    turn: LoopShare,
) -> ComparedRows:
    """Return the rows that are still to be carried out, and those that are refused; the others get a result.

    A row that is unchanged is not refused, even if it would be today because its time has passed.
    """
    names = [name for name in _external_ids(checked) if name is not None]
    known = await find_known(session, workspace_id, names) if names else {}
    before: dict[str, RowBefore] = {}
    for begin in range(0, len(names), _BATCH):
        before |= await find_rows_before(session, workspace_id, names[begin : begin + _BATCH])
        await turn.pause()
    comparison = _Comparison(known, before, query, results)
    unknown: list[tuple[CheckedPost, RefusedRow | None]] = []
    for row, refusal in _rows(checked):
        await turn.pause()
        if comparison.add(row, refusal):
            unknown.append((row, refusal))
    for refused in checked.refused:
        if refused.post is None:
            comparison.add_unreadable(refused)
    for begin in range(0, len(unknown), _BATCH):
        batch = unknown[begin : begin + _BATCH]
        ids = [known[row.parsed.content.external_id or ""].id for row, _ in batch]
        posts = await read_posts(session, Post.workspace_id == workspace_id, Post.id.in_(ids), lock=False)
        for (row, refusal), post_id in zip(batch, ids, strict=True):
            if (post := posts.get(post_id)) is not None:
                comparison.add_unknown(row, refusal, Cells.of_post(post), is_untouched=post.version == 1)
            await turn.pause()
        session.expunge_all()
    return comparison.rows


def _external_ids(checked: CheckedRows) -> Iterator[str | None]:
    for row, _ in _rows(checked):
        yield row.parsed.content.external_id
        yield row.after_external_id
    yield from (row.external_id for row in checked.refused)


def _rows(checked: CheckedRows) -> Iterator[tuple[CheckedPost, RefusedRow | None]]:
    """Yield the rows that can be read, each with why it is refused."""
    yield from ((row, None) for row in checked.posts)
    yield from ((row.post, row) for row in checked.refused if row.post is not None)


class _Comparison:
    """The rows of an import that were compared so far."""

    def __init__(
        self,
        known: Mapping[str, KnownPost],
        before: dict[str, RowBefore],
        query: ImportQuery,
        results: RowResults,
    ) -> None:
        self.rows = ComparedRows()
        self._known, self._before, self._query, self._results = known, before, query, results

    def add(self, row: CheckedPost, refusal: RefusedRow | None) -> bool:
        """Add a row; return True instead if its post must be read because no row before is known."""
        external_id = row.parsed.content.external_id or ""
        existing = self._known.get(external_id)
        if existing is None:
            self._add_without_post(row, refusal, self._before.get(external_id))
            return False
        # Taken out, because to free 10,000 of them at once stops the event loop.
        before = self._before.pop(external_id, None)
        if before is None or before.post_id != existing.id:
            if existing.digest != row.digest:
                return True
            digests = self._cells(row).digests()
            before = self.rows.learnt[external_id] = RowBefore(existing.id, digests, digests)
        self._add_existing(row, refusal, before)
        return False

    def add_unknown(self, row: CheckedPost, refusal: RefusedRow | None, post: Cells, *, is_untouched: bool) -> None:
        """Add a row that finds a post of which no row before is known.

        If the post is untouched, it says what the row before said.
        """
        external_id, digests = row.parsed.content.external_id or "", post.digests()
        post_id = self._known[external_id].id
        before = RowBefore(post_id, digests, digests)
        if not differing(self._digests(row, self._cells(row), digests), digests):
            self.rows.learnt[external_id] = before
        self._add_existing(row, refusal, before, is_known=is_untouched)

    def add_unreadable(self, row: RefusedRow) -> None:
        """Add a row whose cells cannot be read."""
        existing = self._known.get(row.external_id or "") if row.digest else None
        if existing is not None and existing.digest == row.digest:
            self._results.add_existing(row, RowOutcome.UNCHANGED, existing.id)
        elif existing is not None and self._query.on_existing is OnExisting.KEEP:
            self._results.add_existing(row, RowOutcome.IGNORED, existing.id)
        else:
            self.rows.refused.append(row)

    def _add_without_post(self, row: CheckedPost, refusal: RefusedRow | None, before: RowBefore | None) -> None:
        is_deleted = before is not None and before.deleted_at is not None
        if is_deleted and before and self._query.on_conflict is OnConflict.KEEP:
            self._results.add(row, RowOutcome.IGNORED, None)
        elif is_deleted and before and self._query.on_conflict is OnConflict.REFUSE:
            self.rows.refused.append(refused_row(row, _deleted(before)))
        elif refusal is not None:
            self.rows.refused.append(refusal)
        else:
            self.rows.new.append(row)

    def _add_existing(
        self, row: CheckedPost, refusal: RefusedRow | None, before: RowBefore, *, is_known: bool = True
    ) -> None:
        cells = self._cells(row)
        digests = self._digests(row, cells, before.row_cells)
        changed = differing(digests, before.row_cells)
        if not changed:
            self._results.add(row, RowOutcome.UNCHANGED, before.post_id)
        elif self._query.on_existing is OnExisting.KEEP:
            self._results.add(row, RowOutcome.IGNORED, before.post_id)
        elif self._query.on_existing is OnExisting.REFUSE:
            self.rows.refused.append(refusal or refused_row(row, taken_id(before.post_id, sorted(changed))))
        elif "queue" in changed and row.parsed.queue is not None:
            self.rows.refused.append(refused_row(row, _QUEUE))
        else:
            existing = ExistingRow(row, cells, digests, before.post_id, before if is_known else None, refusal)
            self.rows.differing.append(existing)

    def _cells(self, row: CheckedPost) -> Cells:
        """Return the cells of a row, with the id of the existing post for which it waits."""
        content = row.parsed.content
        if (name := row.after_external_id) is not None:
            first, before = self._known.get(name), self._before.get(name)
            first_id = first.id if first else before.post_id if before else None
            content.after_post_id = first_id or content.after_post_id
        return Cells(content, row.is_draft, row.parsed.queue)

    def _digests(self, row: CheckedPost, cells: Cells, before: Digests) -> Digests:
        digests = dict(cells.digests())
        for name in row.leaves_out:
            digests.pop(name, None)
            digests |= {name: before[name]} if name in before else {}
        return digests


def refused_row(post: CheckedPost, *problems: Problem) -> RefusedRow:
    """Return a sound row that its post's state does not allow."""
    where = f"rows.{post.number}"
    named = [replace(problem.within(where), row=post.number) for problem in problems]
    return RefusedRow(post.number, named, post.parsed.content.external_id, post.digest, is_malformed=False)


def split_changes(existing: ExistingRow, post: Digests) -> tuple[set[str], set[str]]:
    """Return the cells of a row that its post is to get, and those in which the post itself was also changed."""
    differs = differing(existing.digests, post)
    if existing.before is None:
        return differs, set()
    changed = differs & differing(existing.digests, existing.before.row_cells)
    conflicts = changed & differing(post, existing.before.post_cells)
    return changed - conflicts, conflicts


def conflict(existing: ExistingRow, post: Cells, name: str) -> Problem:
    """Return the problem of a cell that was changed in the row and on the post."""
    values = (cells.show(name) for cells in (existing.cells, post))
    row_value, post_value = (f"“{value}”" if value is not None else "empty" for value in values)
    sentence = (
        f"{name} was changed in the row and on the post: {row_value} in the row, {post_value} on the post. "
        "Send onConflict=keep or overwrite, or correct it"
    )
    return Problem(sentence, CHANGED, name, post_id=existing.post_id)


def _deleted(before: RowBefore) -> Problem:
    at = rfc3339(before.deleted_at) if before.deleted_at else ""
    sentence = (
        f"externalId is that of {before.post_id}, which was deleted at {at}: send onConflict=keep to leave it deleted, "
        "or onConflict=overwrite to create it again"
    )
    return Problem(sentence, "deleted_since_import", "externalId", post_id=before.post_id)
