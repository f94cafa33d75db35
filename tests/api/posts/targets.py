"""Targets and times for request bodies."""

from datetime import UTC, datetime, timedelta

from domain.schedule import rfc3339

TARGET = {"platform": "twitter", "accountId": "tw_456"}


def in_future(days: float = 30) -> str:
    return rfc3339((datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0))
