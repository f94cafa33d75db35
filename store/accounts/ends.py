"""The accounts whose connections end soon, and the delay of renewals."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import ConnectedAccount


@dataclass(frozen=True, slots=True)
class Ends:
    """The number of accounts by platform whose connection ends soon, and the delay of the most overdue renewal."""

    expiring: dict[str, int]
    overdue: timedelta


async def ends_of_accounts(session: AsyncSession, now: datetime, within: timedelta) -> Ends:
    """Count the accounts without a renewal whose connection ends `within` some time, or has ended.

    Accounts that their platform refuses already are not counted: they need no warning.
    """
    counted = await session.execute(
        select(ConnectedAccount.platform, func.count())
        .where(ConnectedAccount.refresh_expires_at <= now + within, ConnectedAccount.refused_at.is_(None))
        .group_by(ConnectedAccount.platform)
    )
    oldest = await session.scalar(select(func.min(ConnectedAccount.renew_at)))
    overdue = max(now - oldest, timedelta(0)) if oldest else timedelta(0)
    return Ends({row[0]: row[1] for row in counted}, overdue)
