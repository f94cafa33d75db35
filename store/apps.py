"""The operator's apps: what workers know of them, those that their platforms refuse, and the targets that wait."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.post import HoldReason, TargetStatus
from store.due import Due
from store.models import Account, AppRefusal, AppSetup, Post, Target


async def announce_apps(
    session: AsyncSession,
    platforms: Collection[str],
    platforms_by_workspace: Mapping[str, Collection[str]],
    now: datetime,
    documents: Mapping[str, Any] | None = None,
    key_ids: Sequence[bytes] = (),
) -> None:
    """Save for which platforms there is an app: for all workspaces, and for single ones by their ids.

    Nothing is written if the row says so already: a worker announces every minute.
    `documents` are the documents about apps that the API publishes, by their paths. `key_ids` are the ids of the
    worker's encryption keys.
    """
    values = {
        "platforms": sorted(platforms),
        "platforms_by_workspace": {workspace: sorted(names) for workspace, names in platforms_by_workspace.items()},
        "documents": dict(documents or {}),
        "key_ids": [key_id.hex() for key_id in key_ids],
    }
    statement = insert(AppSetup).values(only=True, announced_at=now, **values)
    differs = or_(*(getattr(AppSetup, name).is_distinct_from(statement.excluded[name]) for name in values))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[AppSetup.only], set_={"announced_at": now, **values}, where=differs
        )
    )


async def platforms_with_app(session: AsyncSession, workspace_id: str) -> frozenset[str]:
    """Return the platforms for which a workspace can use an app; none before a worker has run."""
    setup = await session.scalar(select(AppSetup))
    return frozenset((*setup.platforms, *setup.platforms_by_workspace.get(workspace_id, ()))) if setup else frozenset()


async def app_document(session: AsyncSession, path: str) -> dict[str, Any] | None:
    """Return the published document of an app at a path, None if there is none."""
    app_documents = await session.scalar(select(AppSetup.documents))
    document: dict[str, Any] | None = (app_documents or {}).get(path)
    return document


async def key_ids_of_workers(session: AsyncSession) -> list[str]:
    """Return the ids of the encryption keys of the worker that started last; none before a worker has run."""
    return list(await session.scalar(select(AppSetup.key_ids)) or ())


FIRST_PROBE, SLOWEST_PROBE = timedelta(minutes=1), timedelta(minutes=15)
"""The pause between probes is the age of the refusal, but at least the first and at most the second; our choice."""


async def refuse_app(session: AsyncSession, platform: str, app_id: str, code: str, message: str) -> None:
    """Save that a platform refuses an app: the posts that this stops are held from now on, without asking it."""
    now = datetime.now(UTC)
    values = {"message": message, "last_refused_at": now}
    statement = insert(AppRefusal).values(
        platform=platform, app_id=app_id, code=code, refused_at=now, probe_at=now + FIRST_PROBE, **values
    )
    await session.execute(statement.on_conflict_do_update(index_elements=["platform", "app_id", "code"], set_=values))


async def accept_app(session: AsyncSession, platform: str, app_id: str, codes: Collection[str]) -> None:
    """Save that a platform accepts an app again, for refusals of these codes."""
    its_own = (AppRefusal.platform == platform, AppRefusal.app_id == app_id)
    await session.execute(delete(AppRefusal).where(*its_own, AppRefusal.code.in_(codes)))


async def refused_apps(session: AsyncSession) -> list[AppRefusal]:
    """Return the apps that are refused now, one for each reason of each platform."""
    by = (AppRefusal.platform, AppRefusal.app_id, AppRefusal.code)
    return list(await session.scalars(select(AppRefusal).order_by(*by)))


async def hasten_probe(session: AsyncSession, platform: str, app_id: str, code: str) -> bool:
    """Let a refusal be probed now; return whether its probe was planned for later."""
    its_own = (AppRefusal.platform == platform, AppRefusal.app_id == app_id, AppRefusal.code == code)
    now = datetime.now(UTC)
    hastened = update(AppRefusal).where(*its_own, AppRefusal.probe_at > now).values(probe_at=now)
    return bool(list(await session.scalars(hastened.returning(AppRefusal.code))))


REFUSED, TO_PROBE = Due("app_refusals", "true"), Due("app_refusals", "app_refusals.probe_at <= :now")


async def claim_probe_posts(session: AsyncSession) -> list[Post]:
    """Mark one held target of each refusal that is to be probed now as released, and return their posts.

    Targets take turns, because one may be refused for a reason of its own. A refusal without waiting targets is
    deleted: the next post finds out. Of several workers, one gets each probe.
    """
    now = datetime.now(UTC)
    age = func.least(func.greatest(now - AppRefusal.refused_at, FIRST_PROBE), SLOWEST_PROBE)
    due = update(AppRefusal).where(TO_PROBE.at(now)).values(probe_at=now + age)
    posts = []
    for refusal in await session.scalars(due.returning(AppRefusal)):
        turns = ((Target.id > (refusal.probed_with or "")).desc(), Target.id)
        first = _held_by(refusal).order_by(*turns).limit(1)
        target = (await session.scalars(first.with_for_update(of=Target, skip_locked=True))).one_or_none()
        if target is None:
            await session.delete(refusal)
            continue
        refusal.probed_with, target.released_at = target.id, now
        query = select(Post).where(Post.id == target.post_id).options(selectinload(Post.targets))
        posts.append((await session.scalars(query)).one())
    return posts


def app_is_accepted() -> ColumnElement[bool]:
    """Return the condition on `Account` and `Target` that the refusal for which the target waits is over."""
    refused = select(AppRefusal.platform).where(
        AppRefusal.platform == Account.platform,
        AppRefusal.app_id == Account.app_id,
        AppRefusal.code == Target.error_code,
    )
    return ~refused.correlate(Account, Target).exists()


def _held_by(refusal: AppRefusal) -> Select[Target]:
    of_target = and_(Account.workspace_id == Target.workspace_id, Account.id == Target.account_id)
    return (
        select(Target)
        .join(Account, and_(of_target, Account.platform == Target.platform))
        .where(Target.status == TargetStatus.HELD, Target.hold_reason == HoldReason.OPERATOR)
        .where(Target.error_code == refusal.code)
        .where(Account.platform == refusal.platform, Account.app_id == refusal.app_id)
    )
