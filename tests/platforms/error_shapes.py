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
