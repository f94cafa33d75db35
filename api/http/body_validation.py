"""Conversion of pydantic's errors to this API's problems: sentence, code and dotted path, in the contract's order."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from api.http.body import MAX_PROBLEMS, JsonObject, unusable_strings
from api.http.suggest import closest, did_you_mean
from domain.errors import InvalidRequest, Problem

M = TypeVar("M", bound=BaseModel)

_TARGET = re.compile(r"platforms\.([0-9]{1,4})(?:\.|$)")

_NO_TEXT = "string_unicode"

_MUST_BE = {
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def in_contract_order(model: type[BaseModel], problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems of a body as its model lists the fields, then by position, without duplicates.

    Unknown fields come last. A misspelled one stands just before the field that it was meant to be: it is why that one
    is missing.
    """
    order = _field_places(model)

    def rank(problem: Problem) -> tuple[list[tuple[int, int]], bool]:
        parts = problem.param.split(".") if problem.param else []
        meant = closest(parts[-1], order) if problem.code == "unknown_parameter" and parts else None
        if meant:
            parts[-1] = meant
        path = [
            (0, int(part)) if part.isdecimal() and part.isascii() else (1, order.get(part, len(order)))
            for part in parts[:8]
        ]
        return path, meant is None

    return sorted(dict.fromkeys(problems), key=rank)[:MAX_PROBLEMS]


@cache
def _field_places(model: type[BaseModel]) -> dict[str, int]:
    """Return the place of each name that a body may hold: its own fields first, then those of the objects in it."""
    names = dict.fromkeys(field.alias or name for name, field in model.model_fields.items())
    for field in model.model_fields.values():
        for kind in _kinds(field.annotation):
            if issubclass(kind, BaseModel):
                names |= dict.fromkeys(name for name in _field_places(kind) if name not in names)
    return {name: place for place, name in enumerate(names)}


def name_targets(problems: Iterable[Problem], payload: JsonObject) -> list[Problem]:
    """Return problems, those of a target with its platform and account as far as the body says them."""
    targets = payload.get("platforms")
    return [_named(problem, targets if isinstance(targets, list) else []) for problem in problems]


def _named(problem: Problem, targets: list[Any]) -> Problem:
    match = _TARGET.match(problem.param or "")
    position = int(match[1]) if match else len(targets)
    target = targets[position] if position < len(targets) else None
    if problem.platform or not isinstance(target, dict):
        return problem
    platform, account_id = target.get("platform"), target.get("accountId")
    return replace(
        problem,
        platform=platform if isinstance(platform, str) else None,
        account_id=account_id if isinstance(account_id, str) else None,
    )


def read(model: type[M], payload: JsonObject) -> tuple[M | None, list[Problem]]:
    """Validate a body; return it and its problems.

    If fields are at fault, the body is without them; it is None if it is not valid then either.
    """
    problems = unusable_strings(payload)
    details: list[ErrorDetails] = []
    try:
        body = model.model_validate(payload)
    except ValidationError as error:
        # `unusable_strings` reports invalid text itself; for an invalid key pydantic names only the object around it.
        errors = error.errors(include_url=False, include_input=False)
        details = [detail for detail in errors if detail["type"] != _NO_TEXT]
    else:
        if not problems:
            return body, []
    params = {problem.param or "" for problem in problems}
    broken = {str(detail["loc"][0]) for detail in details} | {param.split(".")[0] for param in params}
    try:
        partial = model.model_validate({name: value for name, value in payload.items() if name not in broken})
    except ValidationError:
        partial = None
    # pydantic lists known fields before unknown ones: if many unknown ones exceed the limit, only such are cut off.
    others = [as_problem(detail, known_names(model, detail["loc"])) for detail in details[:MAX_PROBLEMS]]
    return partial, [*problems, *(problem for problem in others if problem.param not in params)]


def read_valid(model: type[M], payload: JsonObject) -> M:
    """Return a valid body. Raises InvalidRequest with all problems of an invalid one."""
    body, problems = read(model, payload)
    if body is None or problems:
        raise InvalidRequest(in_contract_order(model, problems))
    return body


def known_names(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Return the names that the object around a location may hold."""
    current: type[BaseModel] | None = model
    for part in location[:-1]:
        if isinstance(part, str) and current is not None:
            current = _field_model(current, part)
    return (
        [alias for name, field in current.model_fields.items() for alias in _field_names(name, field)]
        if current
        else []
    )


def _field_names(name: str, field: FieldInfo) -> list[str]:
    """Return all names by which a body may give a field."""
    if isinstance(field.validation_alias, AliasChoices):
        return [choice for choice in field.validation_alias.choices if isinstance(choice, str)]
    return [field.alias or name]


def _field_model(model: type[BaseModel], alias: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if alias in {name, field.alias}:
            return next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)
    return None


def _kinds(annotation: Any) -> Iterable[type]:
    if isinstance(annotation, type):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _kinds(argument)


def as_problem(detail: ErrorDetails, known: Iterable[str], prefix: tuple[int | str, ...] = ()) -> Problem:
    """Return one of pydantic's errors as a problem of this API; `prefix` is the path of the object that has it."""
    param = ".".join(str(part) for part in (*prefix, *detail["loc"]))
    kind = detail["type"]
    if kind == "missing":
        return Problem(f"{param} is required", "missing_required_field", param)
    if kind == "extra_forbidden" and str(detail["loc"][-1]) in (known := list(known)):
        return Problem(
            f"{param} is another name of a field that is given, too: leave one out", "unknown_parameter", param
        )
    if kind == "extra_forbidden":
        hint = did_you_mean(str(detail["loc"][-1]), known)
        return Problem(f"{param} is not a known field{hint}", "unknown_parameter", param)
    return Problem(f"{param} {_sentence(kind, detail)}", "invalid_field_value", param)


def _sentence(kind: str, detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if kind in _MUST_BE:
        return _MUST_BE[kind]
    if kind in {"literal_error", "enum"}:
        choices = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"must be one of {choices}" if ", " in choices else f"must be {choices}"
    if kind == "too_long":
        return f"may hold at most {_items(context['max_length'])}"
    if kind == "too_short":
        return f"must hold at least {_items(context['min_length'])}"
    if kind == "string_too_long":
        return f"may be at most {context['max_length']:,} characters long"
    if kind == "string_too_short":
        return (
            "must not be empty"
            if context["min_length"] == 1
            else f"must be at least {context['min_length']} characters long"
        )
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind == "string_pattern_mismatch":
        return "is not in the right form"
    # Rules of ours raise whole sentences; pydantic's remaining ones begin with "Input" or "Value error,".
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"
