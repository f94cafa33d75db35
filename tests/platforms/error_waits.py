"""The waits that errors of each platform ask for: as a response says, or as we chose."""

from typing import Any

import httpx

from tests.platforms.error_shapes import (
    Case,
    bare,
    bluesky,
    discord,
    google,
    graph,
    linkedin,
    pinterest,
    reddit,
    telegram,
    tiktok,
    x,
    youtube,
)

_HOUR = 3600.0


def usage(*minutes: Any) -> dict[str, str]:
    """Return Meta's header with the estimated minutes of a limit."""
    times = [{"estimated_time_to_regain_access": minute} for minute in minutes]
    return {"x-business-use-case-usage": httpx.Response(200, json={"1755": times}).text}


UNREADABLE_USAGES = [{"x-business-use-case-usage": text} for text in ("", "{", "[]", "{}", '{"1": [{}]}', '{"1": 5}')]
LIMITED, LIMITED_X = bluesky(429, "RateLimitExceeded"), x(429, "rate-limit-exceeded")
WAITS: dict[str, list[tuple[Case, dict[str, str], float | None]]] = {
    "bluesky": [
        (LIMITED, {"retry-after": "120"}, 120),
        (LIMITED, {"ratelimit-reset": "{unix}"}, 300),
        (LIMITED, {"ratelimit-reset": "1"}, 1),
        (LIMITED, {"ratelimit-reset": "soon"}, None),
        (bluesky(400, "DailyLimitExceeded"), {}, 6 * _HOUR),
        (bluesky(400, "InvalidRequest"), {"retry-after": "120"}, None),
    ],
    "discord": [
        (discord(429, retry_after=64.57), {}, 64.57),
        (discord(429), {"retry-after": "65"}, 65),
        (discord(429, retry_after="soon"), {}, None),
        (bare(429, "<html>"), {"retry-after": "9"}, 9),
    ],
    "facebook": [
        (graph(32), usage(3, 19), 19 * 60),
        *[(graph(190), usage(3), None), (graph(32), {}, None)],
        *[(graph(17), headers, None) for headers in UNREADABLE_USAGES],
        *[(graph(1390008), {}, 0.5 * _HOUR), (graph(368), {}, 6 * _HOUR)],
    ],
    "googlebusiness": [(google(429, "RESOURCE_EXHAUSTED"), {}, 60), (google(503, "UNAVAILABLE"), {}, None)],
    "instagram": [
        *[(graph(4), usage(7, 0), 7 * 60), (bare(429), usage(7, 0), 7 * 60), (graph(190), usage(7), None)],
        *[(graph(17), headers, None) for headers in UNREADABLE_USAGES],
        (graph(9, 2207042), {}, 6 * _HOUR),
    ],
    "linkedin": [(linkedin(429), {}, None), (linkedin(500), {}, None)],
    "mastodon": [
        *[(bare(429), {"x-ratelimit-reset": time}, 300) for time in ("{utc}", "{zoneless}", "{unix}")],
        (bare(429), {"x-ratelimit-reset": "2020-01-01T00:00:00Z"}, 1),
        (bare(429), {"retry-after": "30"}, 30),
        *[(bare(429), {"x-ratelimit-reset": time}, None) for time in ("soon", "9" * 30, "")],
        (bare(500), {"retry-after": "30"}, None),
    ],
    "pinterest": [
        (pinterest(400, 1, "Sorry we could not fetch the image."), {}, 15 * 60),
        (pinterest(400, 235, "Unable to reach the URL."), {}, 30),
        *[
            (pinterest(status, 9, "You've hit a block (Pins)."), {"retry-after": "7"}, 6 * _HOUR)
            for status in (403, 429)
        ],
        *[(bare(429), {}, 60), (bare(429), {"x-ratelimit-reset": "12"}, 12)],
        (bare(429), {"retry-after": "7", "x-ratelimit-reset": "12"}, 7),
        *[(bare(429), {"x-ratelimit-reset": time}, 60) for time in ("soon", "0", "1770000000")],
    ],
    "reddit": [
        *[(bare(429), {}, 600), (bare(429), {"x-ratelimit-reset": "287"}, 287)],
        (bare(429), {"retry-after": "7.5", "x-ratelimit-reset": "287"}, 7.5),
        (bare(400, {"json": {"errors": [["RATELIMIT", "", ""]], "ratelimit": 538.1}}), {}, 539),
        (reddit(200, "RATELIMIT", "you are doing that too much. try again in 9 minutes."), {}, 540),
        (reddit(200, "RATELIMIT", "try again in 1 hour."), {}, _HOUR),
        (reddit(200, "RATELIMIT", "Take a break for 40 seconds"), {}, 40),
        (reddit(400, "RATELIMIT", "try again in 5 milliseconds."), {}, 0.005),
        (bare(400, {"json": {"errors": ["RATELIMIT"]}}), {}, 600),
    ],
    "telegram": [
        (bare(429, {"error_code": 429, "parameters": {"retry_after": 17}}), {}, 17),
        *[(telegram(429, "Too Many Requests"), {}, None)],
        (bare(400, {"error_code": 400, "parameters": {"retry_after": 17}}), {}, None),
    ],
    "tiktok": [
        # The owner of the account empties the inbox.
        (tiktok(400, "spam_risk_too_many_pending_share"), {}, _HOUR),
        (tiktok(429, "rate_limit_exceeded"), {}, 61),
        *[(tiktok(400, code), {}, 6 * _HOUR) for code in ("spam_risk_too_many_posts", "reached_active_user_cap")],
        (tiktok(400, "internal_error"), {}, None),
    ],
    "twitter": [
        (LIMITED_X, {"x-rate-limit-reset": "4102444800"}, 24 * _HOUR),
        (LIMITED_X, {"x-rate-limit-reset": "1"}, 1),
        *[(LIMITED_X, {"x-rate-limit-reset": time}, None) for time in ("soon", "")],
    ],
    "youtube": [
        (youtube(429, "rateLimitExceeded"), {"retry-after": "17"}, 17),
        *[(youtube(429, "rateLimitExceeded"), {}, None), (youtube(400, "uploadLimitExceeded"), {}, 6 * _HOUR)],
    ],
}
"""The seconds after which to come back. Times in headers are those in 5 minutes, in several notations."""
