"""Versions of platforms' APIs and their announced ends."""

from datetime import date, timedelta

from platforms.registry import WARN_AHEAD, announced_ends, ending_versions, platforms


def test_every_platform_names_the_version_it_speaks() -> None:
    assert {name for name, platform in platforms().items() if not platform.api.name} == set()


def test_an_announced_end_has_a_source() -> None:
    announced = [platform.api for platform in platforms().values() if platform.api.supported_until]
    assert announced
    assert all(api.source for api in announced)


def test_a_version_is_named_from_90_days_before_its_end() -> None:
    (linkedin,) = [version for version in announced_ends() if version.platform == "linkedin"]
    assert timedelta(days=90) == WARN_AHEAD
    last_quiet_day = linkedin.until - WARN_AHEAD - timedelta(days=1)
    assert linkedin not in ending_versions(last_quiet_day)
    assert linkedin in ending_versions(last_quiet_day + timedelta(days=1))
    assert linkedin in ending_versions(linkedin.until + timedelta(days=400))


def test_no_version_in_use_has_ended() -> None:
    assert [version for version in announced_ends() if version.until < date.today()] == []  # noqa: DTZ011
