"""Checks of a file against its platform's limits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from media.decoding.facts import ImageDemand, MediaFacts
from media.refusals import NOUNS, TOO_LARGE
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.rules import FileRule

_A = {kind: f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}" for kind, noun in NOUNS.items()}
_MEBI, _MEGA = 2**20, 10**6
_SLACK = 0.01
"""The tolerance of a ratio's limit: platforms round, and so do people who crop pictures."""


def image_demand(rule: FileRule, facts: MediaFacts, sides: tuple[int, int] | None = None) -> ImageDemand | None:
    """Return the demand that an image must be converted to, None if its platform takes it as it is.

    `sides` are those that it must have exactly. Too many bytes alone are no reason to touch a picture, unless the rule
    says that it shrinks. A picture on its side is turned if its shape would be refused as it is in the file: whether a
    platform looks at EXIF before it measures is unverified.
    """
    side_limits = (*_limits_of_sides(rule), *(sides or ()))
    demand = ImageDemand(rule.types, rule.max_bytes if rule.shrinks else None, *side_limits)
    in_file = replace(facts, width=facts.height, height=facts.width) if facts.is_on_its_side else facts
    if demand.is_met_by(facts) and (in_file is facts or _has_shape(rule, in_file)):
        return None
    return ImageDemand(rule.types, rule.max_bytes, *side_limits)


def common_sides(label: str, rule: FileRule, images: Sequence[MediaFacts]) -> tuple[int, int]:
    """Return the sides, in pixels, that all images of one post get: those of the smallest one.

    Raises PlatformError(rejected) if the shapes differ: cutting pictures is left to people.
    """
    demand = ImageDemand(rule.types, None, *_limits_of_sides(rule))
    smallest = min(images, key=lambda facts: math.prod(demand.box(facts.width, facts.height)))
    for facts in images:
        if abs(facts.ratio / smallest.ratio - 1) > _SLACK:
            sizes = " and ".join(f"{image.width:,} x {image.height:,}" for image in (smallest, facts))
            message = f"{label} takes several images in a post only if they have the same shape; these are {sizes}."
            raise PlatformError(ErrorKind.REJECTED, message, code="media_shapes_differ")
    return demand.box(smallest.width, smallest.height)


def _limits_of_sides(rule: FileRule) -> tuple[int | None, ...]:
    return rule.max_width, rule.max_height, rule.max_shorter, rule.max_longer


def check(label: str, rule: FileRule, file: MediaFile, facts: MediaFacts | None) -> None:
    """Raise PlatformError(rejected) for the first limit that a file breaks; documents have no facts."""
    for code, sentence in _broken(label, rule, file, facts):
        raise PlatformError(ErrorKind.REJECTED, f"{sentence}.", code=code)


def too_large(label: str, rule: FileRule) -> PlatformError:
    """Return the refusal of a file that is larger than its platform takes; its download was stopped at the limit."""
    if rule.max_bytes is None:
        raise ValueError("the rule has no limit of bytes")
    sentence = f"{label} allows {_megabytes(rule.max_bytes)} for {_A[rule.kind]}; this has more"
    return PlatformError(ErrorKind.REJECTED, f"{sentence}.", code=TOO_LARGE)


def takes(label: str, rule: FileRule, content_type: str) -> str:
    """Return in words which types a platform takes, and which one it was given."""
    return f"{label} takes {_either(rule.types)} for {_A[rule.kind]}; this is {content_type}"


def _broken(label: str, rule: FileRule, file: MediaFile, facts: MediaFacts | None) -> Iterator[tuple[str, str]]:
    a = _A[rule.kind]
    if file.content_type not in rule.types:
        yield "media_type", takes(label, rule, file.content_type)
    yield from _size(label, rule, file)
    if facts is None:
        return
    if facts.duration is not None:
        if rule.max_seconds is not None and facts.duration > rule.max_seconds:
            yield (
                "media_too_long",
                f"{label} allows {rule.max_seconds:,g} seconds for {a}; this has {facts.duration:,.1f}",
            )
        if rule.min_seconds is not None and facts.duration < rule.min_seconds:
            yield (
                "media_too_short",
                f"{label} needs at least {rule.min_seconds:,g} seconds for {a}; this has {facts.duration:,.1f}",
            )
    for side, has, least, most in (
        ("wide", facts.width, rule.min_width, rule.max_width),
        ("high", facts.height, rule.min_height, rule.max_height),
    ):
        if most is not None and has > most:
            yield "media_dimensions", f"{label} allows {a} at most {most:,} pixels {side}; this has {has:,}"
        if least is not None and has < least:
            yield "media_dimensions", f"{label} needs {a} at least {least:,} pixels {side}; this has {has:,}"
    yield from _ratio(label, rule, facts)


def _size(label: str, rule: FileRule, file: MediaFile) -> Iterator[tuple[str, str]]:
    a = _A[rule.kind]
    if rule.max_bytes is not None and file.size > rule.max_bytes:
        limit, sent = _bytes(rule.max_bytes, file.size)
        yield TOO_LARGE, f"{label} allows {limit} for {a}; this has {sent}"
    if rule.min_bytes is not None and file.size < rule.min_bytes:
        yield "media_too_small", f"{label} needs at least {rule.min_bytes:,} bytes for {a}; this has {file.size:,}"


def _has_shape(rule: FileRule, facts: MediaFacts) -> bool:
    least, most = rule.min_ratio or 0, rule.max_ratio or float("inf")
    return least * (1 - _SLACK) <= facts.ratio <= most * (1 + _SLACK)


def _ratio(label: str, rule: FileRule, facts: MediaFacts) -> Iterator[tuple[str, str]]:
    if not _has_shape(rule, facts):
        least = f"{rule.min_ratio or 0:.3g}"
        allowed = f"from {least} to {rule.max_ratio:.3g}" if rule.max_ratio else f"of at least {least}"
        sentence = f"{label} allows {_A[rule.kind]} whose width divided by its height is {allowed}"
        yield "media_ratio", f"{sentence}; this is {facts.width:,} x {facts.height:,} ({facts.ratio:.3g})"


def _bytes(limit: int, size: int) -> tuple[str, str]:
    """Return limit and size in megabytes of the limit's own kind, in bytes where they would read alike."""
    allowed, sent = _megabytes(limit), f"{size / _unit(limit):,.1f} MB"
    if sent.replace(".0 ", " ") == allowed:
        return f"{limit:,} bytes", f"{size:,}"
    return allowed, sent


def _megabytes(limit: int) -> str:
    return f"{limit / _unit(limit):,.4g} MB"


def _unit(limit: int) -> int:
    return _MEGA if limit % _MEGA == 0 else _MEBI


def _either(types: tuple[str, ...]) -> str:
    *others, last = types
    return f"{', '.join(others)} or {last}" if others else last
