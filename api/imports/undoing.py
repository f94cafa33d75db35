"""Undo an import: delete the posts that it created, and restore the cells that it was the last to change."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.errors import problem_view
from api.imports.comparing import Cells, Digests, differing
from api.imports.updating import PostUpdater
from api.imports.views import NO_IMPORT, PAGE, ImportUndoView, UndonePostView
from api.posts.answers.rendering import Answer, answer_view
from api.posts.once import complete, once, take_key
from domain.audit import Actor
from domain.errors import NotFound, Problem
from domain.imports import UndoOutcome
from domain.ownership import BULK_LEAD
from store.models import Post
from store.posts.changes import WorkflowOfPost, delete_posts
from store.posts.idempotency import KeyedRequest
from store.posts.imports import (
    ImportedPost,
    RowBefore,
    find_rows_before,
    forget_posts,
    forget_rows,
    posts_of_import,
    read_import,
    read_imported,
    save_rows,
)

_BEGUN = Problem("The publishing of this post has begun, so the import of it stays", "conflict")


@dataclass(slots=True)
class _Undone:
    """The posts of an import that were looked at so far."""

    views: list[UndonePostView] = field(default_factory=list)
    deleted_ids: list[str] = field(default_factory=list)
    deleted_names: list[str] = field(default_factory=list)
    """Their external ids."""
    restored_ids: list[str] = field(default_factory=list)
    """Posts that have all their old values again."""
    due_soon: list[str] = field(default_factory=list)
    rows: dict[str, RowBefore] = field(default_factory=dict)

    def count(self, outcome: UndoOutcome) -> int:
        """Return the number of posts with an outcome."""
        return sum(view["outcome"] == outcome for view in self.views)


@dataclass(frozen=True, slots=True)
class ImportUndo:
    """A request to undo an import. All of it is one transaction."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    import_id: str
    request: KeyedRequest | None
    dry_run: bool

    async def answer(self) -> Answer:
        """Undo the import, or answer as the first request with this key. Raises NotFound, IdempotencyKeyReused."""
        request = None if self.dry_run else self.request
        return await once(self.deps, request, self.import_id, self._answer, is_costly=True)

    async def _answer(self) -> Answer:
        undone = _Undone()
        async with self.deps.database.transaction() as session:
            answer, with_workflow = await self._undo(session, undone)
            if not self.dry_run:
                await take_key(session, self.request, self.import_id)
                answer = await complete(session, self.request, answer)
        if not self.dry_run:
            self.deps.delivery.deliver_deleted(with_workflow)
            self.deps.delivery.deliver_saved(undone.due_soon)
        return answer

    async def _undo(self, session: AsyncSession, undone: _Undone) -> tuple[Answer, Sequence[WorkflowOfPost]]:
        page = await read_import(session, self.workspace_id, self.import_id, 0, 1)
        if page is None:
            raise NotFound(NO_IMPORT)
        post_ids = await posts_of_import(session, self.import_id)
        updater = PostUpdater(self.deps, session, self.workspace_id, self.actor, writes=not self.dry_run)
        async for batch in updater.batches(post_ids):
            imported = await read_imported(session, self.import_id, list(batch))
            names = [post.external_id for post in batch.values() if post is not None and post.external_id is not None]
            before = await find_rows_before(session, self.workspace_id, names)
            for post_id, post in batch.items():
                if post is not None and post_id in imported:
                    undone.views.append(await self._post(updater, post, imported[post_id], before, undone))
                await asyncio.sleep(0)
        with_workflow: Sequence[WorkflowOfPost] = ()
        if not self.dry_run:
            await save_rows(session, self.workspace_id, undone.rows)
            with_workflow = await delete_posts(
                session, self.workspace_id, undone.deleted_ids, self.actor, importId=self.import_id
            )
            await forget_rows(session, self.workspace_id, undone.deleted_names)
            await forget_posts(session, self.import_id, undone.restored_ids)
        answer = answer_view(self._view(undone, page.counts["created"] + page.counts["updated"]))
        return answer, with_workflow

    def _view(self, undone: _Undone, total: int) -> ImportUndoView:
        order = list(UndoOutcome)[::-1]
        return ImportUndoView(
            importId=self.import_id,
            dryRun=self.dry_run,
            deleted=undone.count(UndoOutcome.DELETED),
            restored=undone.count(UndoOutcome.RESTORED),
            conflicts=undone.count(UndoOutcome.CONFLICT),
            gone=max(0, total - len(undone.views)),
            results=sorted(undone.views, key=lambda view: order.index(view["outcome"]))[:PAGE],
        )

    async def _post(
        self, updater: PostUpdater, post: Post, imported: ImportedPost, before: dict[str, RowBefore], undone: _Undone
    ) -> UndonePostView:
        """Undo what the import has done to a post."""
        view = UndonePostView(id=post.id, outcome=UndoOutcome.CONFLICT)
        if post.external_id is not None:
            view["externalId"] = post.external_id
        cells = Cells.of_post(post)
        written = {name: digest for name, digest in imported.written.items() if digest is not None}
        named = imported.written.keys() if imported.before is not None else cells.values.keys()
        changed = differing(written, cells.digests()) & named
        if changed:
            view["changed"] = [name for name in cells.values if name in changed]
        if not await updater.may_change(post):
            view["errors"] = [problem_view(_BEGUN)]
        elif imported.before is None:
            if not changed:
                undone.deleted_ids.append(post.id)
                undone.deleted_names += [post.external_id] if post.external_id is not None else []
                view["outcome"] = UndoOutcome.DELETED
        elif names := imported.written.keys() - changed:
            parsed, problems = await updater.change(post, cells, Cells.from_json(imported.before), names)
            if parsed is None:
                view["errors"] = [problem_view(problem) for problem in problems]
            else:
                view["restored"] = [name for name in cells.values if name in names]
                view["outcome"] = UndoOutcome.CONFLICT if changed else UndoOutcome.RESTORED
                if not self.dry_run:
                    self._record(post, imported.before, names, before, undone)
                if not changed:
                    undone.restored_ids.append(post.id)
        return view

    def _record(
        self, post: Post, old: Mapping[str, Any], names: set[str], before: dict[str, RowBefore], undone: _Undone
    ) -> None:
        """Note that a restored post and its row say again what they said before the import."""
        if post.due_at is not None and post.due_at <= datetime.now(UTC) + BULK_LEAD:
            undone.due_soon.append(post.id)
        if (row := before.get(post.external_id or "")) is None:
            return
        now = Cells.of_post(post).digests()
        post_cells = {name: now.get(name) for name in names}
        row_cells = {name: old["rowCells"].get(name) for name in names} if "rowCells" in old else post_cells
        undone.rows[post.external_id or ""] = RowBefore(
            post.id, _with(row.row_cells, row_cells), _with(row.post_cells, post_cells)
        )


def _with(cells: Digests, others: Mapping[str, str | None]) -> Digests:
    """Return the digests of cells with others in their place; None is an empty cell."""
    return {name: digest for name, digest in {**cells, **others}.items() if digest is not None}
