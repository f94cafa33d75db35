"""Which accounts' connections end soon, and how late renewals are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import ConnectedAccount


@dataclass(frozen=True, slots=True)
class Ends:
    """Accounts by platform whose connection ends soon, and how long the most overdue renewal has been due."""

    expiring: dict[str, int]
    overdue: timedelta


async def ends_of_accounts(session: AsyncSession, now: datetime, within: timedelta) -> Ends:
    """Count the accounts that nothing has renewed and whose connection ends `within` some time, or has ended.

    Those that their network refuses already are not counted: they need no warning.
    """
    counted = await session.execute(
        select(ConnectedAccount.platform, func.count())
        .where(ConnectedAccount.refresh_expires_at <= now + within, ConnectedAccount.refused_at.is_(None))
        .group_by(ConnectedAccount.platform)
    )
    oldest = await session.scalar(select(func.min(ConnectedAccount.renew_at)))
    overdue = max(now - oldest, timedelta(0)) if oldest else timedelta(0)
    return Ends({row[0]: row[1] for row in counted}, overdue)
