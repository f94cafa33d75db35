"""Masking of log lines: the secrets that this process holds, texts that look like one, and content in errors.

Two nets. The first is certain and knows every secret that this process holds (`store.secrets.secret_values`), in
whatever words it stands. The second knows the shapes of secrets that never were ours to hold: a key that a client sent,
a token in a server's answer, an address that was signed.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict, WrappedLogger

from store.secrets.secret_values import MASK, SECRETS

_NAME = re.compile(
    r"authorization|cookie|credential|passw|secret|api_?key|private_?key|encryption_?key|jwt|token$|^d$", re.IGNORECASE
)
_NAMED = (
    r"[\w-]{0,40}(?:passw(?:or)?d|passphrase|pwd|secret|token|jwt|api[_-]?key|private[_-]?key|assertion|code[_-]verifier"
    r"|auth[_-]code)"
)
_SIGNED = (
    r"sig|signature|x-amz-signature|x-amz-credential|x-goog-signature|oauth_signature|hmac|policy|upload_signature"
    r"|key|code|hash|auth|access_key|key-pair-id|state"
)
_PATH = r"(?P<path>/bot(?=\d)|/webhooks/\d{1,30}/|/media/|/connect/start/|/services/T\w{1,30}/B\w{1,30}/)[\w:%.-]{16,}+"
_WORD = r"""
    \b(?:
          (?:sk|cal)_[\w-]{8,}+ | \d{6,20}:[\w-]{30,}+ | eyJ[\w-]{8,}+\.[\w-]++(?:\.[\w-]*+)?
        | (?-i:EAA[A-Za-z0-9]{20,}+ | (?:IG|TH)[A-Z]{2}[\w-]{30,}+ | AQ[A-Z][\w-]{40,}+)
        | ya29\.[\w-]++ | GOCSPX-[\w-]++ | 1//[\w-]{20,}+ | xox[a-z]-[\w-]++ | gh[a-z]_\w{20,}+
        | (?:act|rft)\.[\w!.-]{20,}+ | pina_\w{20,}+
        | (?-i:[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}+)  # Discord's bots
      )
"""
_FLAGS = re.VERBOSE | re.IGNORECASE | re.DOTALL
_SHAPES = re.compile(
    # The text before the secret is kept; the secret follows it. Repetitions are bounded or possessive, so that
    # no text takes more than a few passes.
    rf"""
      (?P<block>-----BEGIN\ [A-Z0-9 ]{{0,40}}PRIVATE\ KEY-----).*?(?:-----END\ [A-Z0-9 ]{{0,40}}PRIVATE\ KEY-----|\Z)
    | (?P<header>(?<![\w-])(?:(?:proxy-)?authorization|(?:set-)?cookie)\\?["']?\s{{0,4}}[:=,]\s{{0,4}}b?\\?["']?
        (?:\w{{1,20}}\s+)?)[^"'\r\n]++
    | (?P<scheme>\bBearer\s{{1,4}}|\b(?:Basic|Bot|Digest|DPoP|OAuth|Token)\s{{1,4}}(?=[\w.~+/=:-]{{16}}))
      [^\s&'",;<>]++
    | (?P<name>(?<![\w-])(?:{_NAMED})\\{{0,3}}(?:["']|%(?:25)?22)?\s{{0,4}}(?:[:=>]|%(?:25)?3[AD])\s{{0,4}}
        (?:b|Secret(?:Str|Bytes)\(b?)?)
      (?:
          \\{{1,3}}(?P<quote>["'])(?:(?!\\{{1,3}}(?P=quote)).){{0,4096}}+
        | "(?:[^"\\]|\\.)*+"?
        | '(?:[^'\\]|\\.)*+'?
        | [^\s&"',;<>)}}\]\\]++
      )
    | (?P<quoted>(?<![\w-])(?:{_NAMED})\s{{1,4}}["'])[^\s"']{{8,}}+
    | (?P<jwk>\\{{0,3}}["'](?:d|p|q|dp|dq|qi|k)\\{{0,3}}["']\s{{0,4}}:\s{{0,4}}\\{{0,3}}["'])[\w-]{{16,}}+
    | (?P<state>\bstate=)[\w-]{{32,}}+
    | (?P<query>[?&;](?:{_SIGNED})=)[^\s&"'<>]++
    | (?P<userinfo>://[^/\s:@"']{{0,256}}+:)(?:(?!://)[^\s"'@]){{1,256}}+(?=@)
    | (?P<usertoken>://)[^/\s:@"']{{16,256}}+(?=@)
    | {_PATH}
    | {_WORD}
    """,
    _FLAGS,
)
_PLAIN = re.compile(r"[\w.~+/-]*+|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|\+00:00)")
"""Ids, our names, paths and times: nearly all values. Of the shapes of secrets, they can only have these two:"""
_IN_PLAIN = re.compile(f"{_PATH} | {_WORD}", _FLAGS)
_CONTENT = re.compile(
    r"""
      (?P<after>\n(?:DETAIL|CONTEXT|QUERY|WHERE):)\s.*            # PostgreSQL repeats the row
    | (?P<argument>invalid\ input\ for\ query\ argument\ \$\d+:).*  # asyncpg repeats the value
    | (?P<input>\binput_value=).*?(?=,\ input_type=|\Z)            # pydantic repeats what it was given
    | (?P<header>Illegal\ header\ (?:value|name)\ ).*              # h11 repeats the header
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST_KEPT = 128
_MOST_KEPT = 4096
_harmless: tuple[int, set[str]] = (0, set())
"""Texts in which nothing is masked, and the version of the secrets that they were checked for."""


def mask_text(text: str) -> str:
    """Return the text with stars for secrets, and for content that libraries repeat in their errors."""
    harmless = _harmless_texts()
    if text in harmless:
        return text
    masked = _mask_shapes(SECRETS.mask(text))
    if masked == text and len(text) <= _LONGEST_KEPT:
        harmless.add(text)
    return masked


def _harmless_texts() -> set[str]:
    global _harmless  # noqa: PLW0603 one tuple: no thread may see texts beside the version of others
    version, texts = _harmless
    if version != SECRETS.version or len(texts) >= _MOST_KEPT:
        version, texts = _harmless = SECRETS.version, set[str]()
    return texts


def _mask_shapes(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _IN_PLAIN.search(text):
        return text
    return _CONTENT.sub(_stars, _SHAPES.sub(_stars, text))


def mask_event(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Mask a whole log line: a value that is neither a text, a number nor a container becomes text."""
    return {_plain(key): _masked(str(key), value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(key) if len(key) <= _LONGEST_KEPT else _NAME.search(key):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {_plain(inner): _masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, item) for item in value]
    if isinstance(value, int | float):
        return value if (text := str(value)) == SECRETS.mask(text) else MASK
    return mask_text(_text(value))


@lru_cache(1024)
def _is_secret(key: str) -> bool:
    return bool(_NAME.search(key))


def _plain(key: Any) -> str:
    return mask_text(key if isinstance(key, str) else _text(key))


def _text(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 a log line must come out, whatever a strange object does
        return f"<{type(value).__name__} without repr: {type(error).__name__}>"


def _stars(match: re.Match[str]) -> str:
    end = next((text for name, text in match.groupdict().items() if text is not None and name != "quote"), "")
    return f"{end}{MASK}"
