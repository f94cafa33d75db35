"""Error responses in the shape of each platform."""

from collections.abc import Callable
from typing import Any

import httpx

from platforms.errors import DUPLICATE

Case = tuple[httpx.Response, str]
"""An error response, and the code of its error."""

WORDS = "its own words"
REQUEST_ID = "R1"
_ID_HEADERS = dict.fromkeys(("cf-ray", "x-li-uuid", "x-transaction-id"), REQUEST_ID)


def answer(status: int, body: Any = "", **headers: str) -> httpx.Response:
    """Return an error response; a text is sent as it is, any other body as JSON."""
    content: dict[str, Any] = {"text": body} if isinstance(body, str) else {"json": body}
    request = httpx.Request("POST", "https://api.example/posts")
    return httpx.Response(status, request=request, headers=_ID_HEADERS | headers, **content)


def bare(status: int, body: Any = "", **headers: str) -> Case:
    """Return a response that names no code."""
    return answer(status, body, **headers), f"http_{status}"


def per_code(shape: Callable[..., Case], status: int, *codes: Any) -> list[Case]:
    """Return a response in a platform's shape for each code."""
    return [shape(status, code) for code in codes]


def bluesky(status: int, code: str, words: str = WORDS, named: str | None = None) -> Case:
    return answer(status, {"error": code, "message": words}), named or code


def discord(status: int, code: int = 0, words: str = WORDS, **more: Any) -> Case:
    return answer(status, {"code": code, "message": words, **more}), str(code) if code else f"http_{status}"


def graph_error(code: int, subcode: int | None = None, words: str = WORDS) -> dict[str, Any]:
    """Return the body of an error of Meta's Graph API."""
    return {"error": {"message": words, "type": "OAuthException", "code": code, "error_subcode": subcode}}


def graph(code: Any, subcode: Any = None, words: str | None = WORDS, named: str | None = None, **more: Any) -> Case:
    """Return an error of Meta's Graph API; `named` is the code of ours."""
    body = {"message": words, "fbtrace_id": REQUEST_ID, "code": code, "error_subcode": subcode, **more}
    return answer(400, {"error": body}), named or (f"{code}/{subcode}" if subcode else str(code))


def graphs(*codes: int | tuple[int, int]) -> list[Case]:
    """Return an error of the Graph API for each code, or code and subcode."""
    return [graph(*code) if isinstance(code, tuple) else graph(code) for code in codes]


def google(status: int, name: str | None, named: str | None = None, **fault: Any) -> Case:
    """Return an error of Google Business Profile; `fault` is a detail of it, `named` is our code."""
    details = [{"@type": "type.googleapis.com/google.mybusiness.v4.ValidationError", "errorDetails": [fault]}]
    error = {"code": status, "message": WORDS, "status": name, "details": details if fault else None}
    return answer(status, {"error": {key: value for key, value in error.items() if value}}), named or str(name).lower()


def linkedin(status: int, code: str | None = None, words: str = WORDS, named: str | None = None, **more: Any) -> Case:
    body = {"message": words, "status": status, **({"code": code} if code else {}), **more}
    return answer(status, body), named or code or f"http_{status}"


def mastodon(status: int, words: str, named: str | None = None) -> Case:
    return answer(status, {"error": words}), named or f"http_{status}"


def pinterest(status: int, code: int, words: str = WORDS, named: str | None = None) -> Case:
    return answer(status, {"code": code, "message": words}), named or str(code)


def reddit(status: int, code: str, words: str = WORDS) -> Case:
    return answer(status, {"json": {"errors": [[code, words, "sr"]]}}), DUPLICATE if code == "ALREADY_SUB" else code


def telegram(status: int, words: str) -> Case:
    return answer(status, {"ok": False, "error_code": status, "description": words}), str(status)


def tiktok(status: int, code: str) -> Case:
    return answer(status, {"data": {}, "error": {"code": code, "message": WORDS, "log_id": REQUEST_ID}}), code


def tiktoks(*codes: str) -> list[Case]:
    return [case for status in (200, 400, 403) for case in per_code(tiktok, status, *codes)]


def x(status: int, name: str | None, words: str = WORDS, title: str = "", named: str | None = None) -> Case:
    """Return a problem of X by the name of its type, or by its title alone."""
    problem = {"title": title or str(name).title(), "detail": words}
    problem |= {"type": f"https://api.x.com/2/problems/{name}"} if name else {}
    return answer(status, problem), named or (name or title).lower().replace("-", "_").replace(" ", "_")


def youtube(status: int, reason: str) -> Case:
    return answer(status, {"error": {"code": status, "message": WORDS, "errors": [{"reason": reason}]}}), reason


def input_error(code: Any) -> dict[str, Any]:
    """Return LinkedIn's details about an input."""
    return {"errorDetails": {"inputErrors": [code]}}


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
