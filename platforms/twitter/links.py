"""The links that X finds in a text, even if the author did not mean one: X counts each with a fixed length.

The grammar is that of X's own text library (github.com/twitter/twitter-text, version 3), whose test vectors it passes.
Every step is linear in the text: no step reads the same characters again from each position.
"""

import regex

from platforms.texts.domains import TLDS

LONGEST_LABEL = 63
"""Characters of a host's label in ASCII form; source: RFC 1035."""
LONGEST_LINK = 4096
LONGEST_SLUG = 40
"""Characters after the host of a t.co link."""

_ACCENTED = (
    r"\xC0-\xD6\xD8-\xF6\xF8-\u024F\u0253\u0254\u0256\u0257\u0259\u025B\u0263\u0268\u026F\u0272\u0289"
    r"\u02BB\u0300-\u036F\u1E00-\u1EFF"
)
_CYRILLIC = r"\u0400-\u04FF"
_LETTER = r"[^\x00-\x2F\x3A-\x40\x5B-\x60\x7B-\x7F\s\p{Z}\p{C}\u061C\u2000-\u206F\uFF03\uFF20]"
"""The characters of a host's label besides - and _: letters, digits and signs of any script."""

_RUN = regex.compile(rf"{_LETTER}(?:{_LETTER}|[._-])*+")
_LABEL = regex.compile(rf"{_LETTER}(?:[_-]*+{_LETTER})*+")
_SCHEME = regex.compile(r"(?<![A-Za-z0-9@$#\uFF03\uFF20])https?://\Z", regex.IGNORECASE)
_NOT_ALPHANUMERIC = regex.compile(r"[^A-Za-z0-9]")
_CODED = regex.compile(r"xn--[0-9a-z-]+", regex.IGNORECASE)
_WORD = regex.compile(rf"{_LETTER}{{1,{max(map(len, TLDS))}}}")
_GOES_ON = regex.compile(r"[0-9A-Za-z@+-]")
_BARE = regex.compile(
    rf"(?:[a-z0-9{_ACCENTED}-]++\.)+(?:\L<tlds>(?![0-9a-z@+-])|xn--[0-9a-z-]+)", regex.IGNORECASE, tlds=TLDS
)

_PATH_CHAR = rf"[a-z0-9{_CYRILLIC}{_ACCENTED}!*';:=+,.$/%#\[\]\u2013_~@|&-]"
_PARENTHESES = rf"\((?:{_PATH_CHAR}++\)|{_PATH_CHAR}*+\({_PATH_CHAR}++\){_PATH_CHAR}*+\))"
_PATH_END = rf"[a-z0-9{_CYRILLIC}{_ACCENTED}=_#/+-]"
_PATH = rf"/(?:(?:{_PATH_CHAR}|{_PARENTHESES})*(?:{_PATH_END}|{_PARENTHESES}))?"
_QUERY = r"\?[a-z0-9!?*'@();:&=+$/%#\[\]_.,~|-]*[a-z0-9_&=#/-]"
_TAIL = regex.compile(rf"(?::[0-9]++)?(?P<path>{_PATH})?(?:{_QUERY})?", regex.IGNORECASE)
_TCO = regex.compile(rf"https?://t\.co/(?P<slug>[a-z0-9]++)(?:{_QUERY})?", regex.IGNORECASE)


def link_spans(text: str) -> list[tuple[int, int]]:
    """Return where the links of a text begin and end, in order."""
    if "." not in text:
        return []
    spans: list[tuple[int, int]] = []
    done = 0
    for run in _RUN.finditer(text):
        start = max(run.start(), done)
        while start < run.end() and (ahead := _links_from(text, start, run.end(), done)):
            links, done = ahead
            spans += links
            start = done
    return spans


def _links_from(text: str, start: int, end: int, done: int) -> tuple[list[tuple[int, int]], int] | None:
    """Return the links of the first domain in a run of host characters, and the end of that domain."""
    scheme = _SCHEME.search(text, max(done, start - 9), start) if start > done else None
    if scheme is None and start and (start == done or text[start - 1] in "@$#\uff03\uff20._-/"):
        # The character before a domain must not be part of a name; it may be the next character of another script.
        before = _NOT_ALPHANUMERIC.search(text, start, end)
        if before is None or before[0] in "._-":
            return None
        start = before.end()
    host_end = _host_end(text, start, end)
    if host_end is None:
        return None
    tail = _TAIL.match(text, host_end)
    link_end = tail.end() if tail else host_end
    host = text[start:host_end]
    if not _is_name(host) or link_end - start > LONGEST_LINK:
        return [], link_end
    if scheme:
        return _with_scheme(text, scheme.start(), link_end)
    links = [(start, host_end)] if host.isascii() and "_" not in host else _bare(host, start)
    if links and tail and tail["path"]:
        links[-1] = (links[-1][0], link_end)
    return links, link_end if links else host_end


def _bare(host: str, start: int) -> list[tuple[int, int]]:
    """Return the links without a scheme in a host of mixed scripts: only its Latin parts count."""
    return [(start + part.start(), start + part.end()) for part in _BARE.finditer(host)]


def _with_scheme(text: str, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    tco = _TCO.match(text, start, end)
    if tco is None:
        return [(start, end)], end
    return ([(start, tco.end())] if len(tco["slug"]) <= LONGEST_SLUG else []), tco.end()


def _host_end(text: str, start: int, end: int) -> int | None:
    """Return the end of the longest valid domain that begins at `start`."""
    ends: int | None = None
    while (label := _LABEL.match(text, start, end)) and label.end() < end and text[label.end()] == ".":
        start = label.end() + 1
        # The label right before the top-level domain must not contain _; earlier labels may.
        if "_" not in label[0]:
            ends = _tld_end(text, start) or ends
    return ends


def _tld_end(text: str, start: int) -> int | None:
    """Return the end of the top-level domain; in scripts without spaces, text may follow it directly."""
    if coded := _CODED.match(text, start):
        return coded.end()
    word = _WORD.match(text, start)
    ends = range(word.end(), start, -1) if word else ()
    return next((end for end in ends if text[start:end].lower() in TLDS and not _GOES_ON.match(text, end)), None)


def _is_name(host: str) -> bool:
    return all(_fits(label) for label in host.split("."))


def _fits(label: str) -> bool:
    if label.isascii():
        return len(label) <= LONGEST_LABEL
    if label[:4].lower() == "xn--" or len(label) > LONGEST_LABEL:
        return False
    return len("xn--") + len(label.encode("punycode")) <= LONGEST_LABEL
