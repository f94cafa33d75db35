"""Sort the fields of a PATCH body: those that may change the post, and read-only ones, which GET returns as well."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from api.http.body import JsonObject
from api.posts.answers.rendering import render_post
from api.posts.answers.views import PostView, TargetView
from api.posts.bodies.schemas import PatchBody, TargetBody
from domain.errors import Problem
from domain.workspaces import MAX_ITEMS
from store.models import Post

_POST, _TARGET = (
    frozenset(field.alias or name for name, field in body.model_fields.items()) for body in (PatchBody, TargetBody)
)
_NAMES_IT = "externalId"
"""Set when the post is created, and never again."""
_POST_SHOWN, _TARGET_SHOWN = (view.__required_keys__ | view.__optional_keys__ for view in (PostView, TargetView))
_EMPTY = {
    "content": 'send "" for no text',
    "mediaItems": "send [] for none",
    "platforms": "send [] for none",
    "timezone": 'send "UTC" for the default',
    "tags": "send [] for none",
    "tiktokSettings": "send {} for none",
    "facebookSettings": "send {} for none",
    "platformSpecificData": "send {} for none",
}
"""The value that empties a field, for fields whose `null` could also mean that the client leaves them as they are."""
NULLABLE = frozenset({"after", "scheduledFor", "customContent", "customMedia", "campaignId"})
"""Fields that clients set to null. For other fields null is the default in a create, and a problem in a change."""
_ABSENT = object()


def writable_fields(post: Post, payload: JsonObject) -> tuple[JsonObject, list[Problem]]:
    """Return the fields of a PATCH body that may change the post, and a problem for each that may not be so.

    A read-only field is ignored if it has the value of the post's answer, and a problem if it has another value. If the
    answer leaves it out, its value is `null`: some generated clients send it back so. A field whose `null` has no
    meaning is a problem. Fields that are not known are left in.
    """
    shown: PostView | None = None

    def answer() -> PostView:
        nonlocal shown
        if shown is None:
            shown = render_post(post)
        return shown

    fields, problems = _fields(payload, _POST - {_NAMES_IT}, _POST_SHOWN, answer, "")
    if isinstance(targets := fields.get("platforms"), list):
        fields["platforms"] = list(targets)
        for position, target in enumerate(targets[:MAX_ITEMS]):
            if isinstance(target, dict):
                known = _shown_target(answer, target)
                own, target_problems = _fields(target, _TARGET, _TARGET_SHOWN, known, f"platforms.{position}.")
                fields["platforms"][position] = own
                problems += target_problems
    return fields, problems


def surely_writable_fields(payload: JsonObject) -> JsonObject:
    """Return the fields of a change whose meaning does not depend on the post: neither read-only ones nor nulls."""
    own = _writable(payload, _POST - {_NAMES_IT}, _POST_SHOWN)
    if isinstance(targets := own.get("platforms"), list):
        own["platforms"] = [
            _writable(target, _TARGET, _TARGET_SHOWN) if isinstance(target, dict) else target for target in targets
        ]
    return own


def _writable(fields: JsonObject, may_set: frozenset[str], are_shown: frozenset[str]) -> JsonObject:
    return {
        name: value
        for name, value in fields.items()
        if (name in may_set and (value is not None or name in NULLABLE)) or name not in may_set | are_shown
    }


def _shown_target(answer: Callable[[], Mapping[str, Any]], target: JsonObject) -> Callable[[], Mapping[str, Any]]:
    def known() -> Mapping[str, Any]:
        account = target.get("platform"), target.get("accountId")
        same = (
            platform for platform in answer()["platforms"] if (platform["platform"], platform["accountId"]) == account
        )
        return next(same, {})

    return known


def _fields(
    payload: JsonObject,
    may_set: Collection[str],
    are_shown: Collection[str],
    known: Callable[[], Mapping[str, Any]],
    path: str,
) -> tuple[JsonObject, list[Problem]]:
    fields: JsonObject = {}
    problems: list[Problem] = []
    for name, value in payload.items():
        if name in may_set:
            if value is not None or name in NULLABLE:
                fields[name] = value
            elif known().get(name, _ABSENT) is not None:
                problems.append(_null(path, name))
        elif name not in are_shown:
            fields[name] = value
        elif not _same(known().get(name, _ABSENT), value):
            problems.append(_read_only(path, name))
    return fields, problems


def _same(shown: Any, value: Any) -> bool:
    return (shown is _ABSENT and value is None) or (type(shown) is type(value) and bool(shown == value))


def _null(path: str, name: str) -> Problem:
    how = f", or {_EMPTY[name]}" if name in _EMPTY else ""
    return Problem(
        f"{path}{name} cannot be null: leave it out to keep it as it is{how}", "invalid_field_value", path + name
    )


def _read_only(path: str, name: str) -> Problem:
    how = "; a target's own text is its customContent" if path and name == "content" else ": leave it out"
    sentence = f"{path}{name} cannot be changed, and it differs from what the post has now{how}"
    return Problem(sentence, "invalid_field_value", path + name)
