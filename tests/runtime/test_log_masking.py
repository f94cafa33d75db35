"""Masking of secrets of every known shape: no secret passes, and other words stay."""

import itertools
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import log_masking
from runtime.log_masking import mask_event, mask_text
from store.secrets.secret_values import SecretValues
from tests.cpu import cpu_seconds

SHAPES = [
    "Authorization: Bearer {}",
    "Authorization: Bot {}",
    "Authorization: Basic {}",
    "Proxy-Authorization: {}",
    "Cookie: session={}; other={}",
    "Illegal header value b'Bot {}'",
    "Illegal header value b'Bearer {}\\n'",
    "[(b'host', b'x'), (b'authorization', b'Bearer {}')]",
    "{{'Authorization': 'OAuth {}', 'accept': 'json'}}",
    "POST https://api.telegram.org/bot123456789:{}/sendMessage failed",
    "POST /bot123456789:{}/sendMessage",
    "chat of bot 123456789:{}",
    "https://discord.com/api/webhooks/112233445566778899/{}?wait=true",
    "https://hooks.example.com/services/T0AAAAAAA/B0AAAAAAA/{}",
    "GET /media/{} 404",
    '{{"refresh_token": "{}", "expires_in": 3600}}',
    '{{"access_token":"{}"}}',
    '{{"token" : "{}"}}',
    "{{'client_secret': '{}', 'grant_type': 'x'}}",
    'answer: "{{\\"refresh_token\\": \\"{}\\", \\"a\\": 1}}"',
    "answer: '{{\\'refresh_token\\': \\'{}\\'}}'",
    "Credentials(access_token='{}', client_id='app')",
    "accessJwt: {}, refreshJwt: {}",
    "grant_type=refresh_token&refresh_token={}&client_id=app",
    "/me?fields=id&access_token={}&x=1",
    "/callback?code={}&state=1",
    "https://s3.example.com/k?X-Amz-Credential=AKIA&X-Amz-Signature={}&x=1",
    "https://storage.example.com/k?GoogleAccessId=x&Signature={}",
    "https://blob.example.com/k?sv=2&sig={}",
    "https://maps.example.com/api?key={}",
    "postgresql+asyncpg://socialsyncer:{}@127.0.0.1:5432/socialsyncer",
    "redis://:{}@cache:6379/0",
    "https://{}@git.example.com/repository",
    "password={}",
    "db_password: {}",
    "POSTGRES_PASSWORD={} is not it",
    "SOCIALSYNCER_API_ROLE_PASSWORD='{}'",
    "api_key={}",
    "X-Api-Key: {}",
    "client_assertion={}",
    "<accessToken>{}</accessToken>",
    "key sk_{} was refused",
    "id eyJhbGciOiJIUzI1NiJ9.{}.sig",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nand it ends too early",
    "no token EAA{}",
    "google ya29.{} and GOCSPX-{}",
    "tiktok act.{}!1234.e1",
    "invalid token '{}'",
    'the secret "{}" was refused',
    "GET /v1/connect/start/{} 410",
    "GET /calendar.ics?token=cal_{} 200",
    "https://api.example.com/calendar#view=cal_{}",
    "view cal_{}",
    "https://api.example.com/v1/connect/start/{}",
    "?response_type=code&state={}&x=1",
    "state={}",
    "Answer(access_token=SecretStr('{}'))",
    "refresh_token%3D{}",
    "body: grant_type%3Drefresh_token%26refresh_token%3D{}%26client_id%3Dapp",
    "%22access_token%22%3A%22{}",
    "refresh_token%253D{}",
    '{{"kty": "EC", "crv": "P-256", "d": "{}"}}',
    "{{'kty': 'RSA', 'd': '{}', 'dp': '{}'}}",
    'key: "{{\\"kty\\": \\"oct\\", \\"k\\": \\"{}\\"}}"',
]
"""Shapes of secrets that this process need not have opened; `{}` is the secret."""
TOKENS = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=36, max_size=80)


def texts_with(token: str) -> list[str]:
    return [shape.replace("{{", "{").replace("}}", "}").replace("{}", token) for shape in SHAPES]


@given(token=TOKENS)
def test_every_shape_of_a_secret_is_masked(token: str) -> None:
    for text in texts_with(token):
        assert token not in mask_text(text)
        assert token not in mask_text(f"Traceback: {text}. And so on.")


@given(token=TOKENS)
def test_nested_secrets_are_masked(token: str) -> None:
    for text in texts_with(token):
        values: dict[str, Any] = {
            "event": text,
            "tuple": (text, [text]),
            "dict": {"a": {"b": text}},
            "bytes": text.encode(),
            "error": ValueError(text),
            "set": {text},
        }
        assert token not in json.dumps(mask_event(None, "", values)), text


NAMED = (
    *("authorization", "Cookie", "password", "client_secret", "api_key", "apiKey", "encryption_keys", "accessToken"),
    *("id_token", "bot_token", "private_key", "credentials", "access_jwt"),
)
VALUES = st.one_of(
    *(st.text(min_size=1), st.binary(min_size=1), st.integers()),
    *(st.lists(st.text()), st.dictionaries(st.text(), st.text())),
)


@pytest.mark.parametrize("name", NAMED)
@given(value=VALUES)
def test_values_of_secret_fields_are_masked(name: str, value: Any) -> None:
    assert mask_event(None, "", {name: value, "headers": {name: value}}) == {name: "***", "headers": {name: "***"}}


CONTENT = "a customer's draft, not yet public"


@pytest.mark.parametrize(
    "text",
    [
        f'null value in column "x"\nDETAIL:  Failing row contains (post_1, {CONTENT}, null).',
        f"null value\nDETAIL:  Failing row contains (post_1, one line\n{CONTENT}).\n[SQL: INSERT INTO posts]",
        f"invalid input for query argument $3: '{CONTENT}' (expected int, got str)",
        f"1 validation error for X\nbody\n  Input should be an int [type=int, input_value='{CONTENT}', input_type=str]",
    ],
)
def test_content_that_libraries_repeat_in_errors_is_masked(text: str) -> None:
    masked = mask_text(text)
    assert CONTENT not in masked
    assert masked.startswith(text[:10])


@pytest.mark.parametrize(
    "text",
    [
        "target.step",
        "the token was refused",
        "Unexpected token < in JSON",
        "2 tokens are left",
        "Bot was removed from the channel",
        "Basic settings are wrong",
        "post_01a21a405ecf755b8372c9ac48f3f818 of ws_f34e5e3c65b1/2f9c0a3e-1b7d-4c55-9a55-0e8a1c5d6f7b",
        "publish-mastodon at 2026-11-27T00:09:40.307725Z",
        "GET https://api.example.com/v1/posts?limit=20&cursor=abc 200",
        "https://www.linkedin.com/feed/update/urn:li:share:7123456789012345678",
        "/work/activities/publish.py:331 in _refused",
        "key_01a21a405ecf755b8372c9ac48f3f818",
        "connect to postgres:5432 failed: [Errno 111]",
        "attempt state=sending of post_01a21a405ecf755b8372c9ac48f3f818",
        "Unexpected token '<' in JSON",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert mask_text(text) == text


def test_a_token_of_a_discord_bot_is_masked() -> None:
    token = "MTE5NjQzMjE4NzY1NDMyMTA5OA.GaBcDe.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9"
    assert mask_text(token) == "***"
    assert mask_text(f"client of {token} closed") == "client of *** closed"


def test_the_private_part_of_a_key_is_masked_as_a_field() -> None:
    assert mask_event(None, "", {"jwk": {"kty": "EC", "d": "x" * 43}}) == {"jwk": {"kty": "EC", "d": "***"}}


def test_text_around_a_secret_stays() -> None:
    assert mask_text("GET /me?access_token=abcdef&fields=id failed") == "GET /me?access_token=***&fields=id failed"
    assert mask_text("postgresql://me:hunter2@db:5432/x") == "postgresql://me:***@db:5432/x"
    assert mask_text("Authorization: Bearer abcdef") == "Authorization: Bearer ***"


def test_values_of_every_kind_come_out_as_json() -> None:
    class Unwilling:
        def __repr__(self) -> str:
            raise RuntimeError

    values: dict[Any, Any] = {"number": 3, "half": 0.5, "yes": True, "none": None, 7: "key"}
    values |= {"odd": Unwilling(), "deep": [{"a": (1, b"x")}]}
    assert json.loads(json.dumps(mask_event(None, "", values))) == {
        "number": 3,
        "half": 0.5,
        "yes": True,
        "none": None,
        "7": "key",
        "odd": "<Unwilling without repr: RuntimeError>",
        "deep": [{"a": [1, "b'x'"]}],
    }


WORDS = (
    *("token", "Bearer", "authorization", "cookie", "secret", "sk_", "eyJ", "EAA", "IGQW", "AQX", "ya29.", "GOCSPX-"),
    *(
        "1//",
        "xoxb-",
        "ghp_",
        "act.",
        "pina_",
        "/bot1",
        "/webhooks/12/",
        "/media/",
        "/services/T1/B2/",
        "://",
        "@",
        "key",
    ),
    *(
        "123456:",
        "\nDETAIL",
        "input_value",
        "Illegal header value ",
        "-----BEGIN PRIVATE KEY-----",
        "?code",
        "password",
    ),
    *(
        "token '",
        "state=",
        "/connect/start/",
        '"d": "',
        "token%3D",
        "token=SecretStr(",
        "MTE5NjQzMjE4NzY1NDMyMTA5OA.GaBcDe.",
    ),
    *("2026-11-27T00:09:40.307725Z", "2026-11-27T00:09:40+00:00", "post_01a21a405ecf755b8372c9ac48f3f818", "\u212a"),
)
BETWEEN = ("", ":", "=", ": ", ",", "/", " ", ">", ".", "-", "\n", '"', "\\", "?", "&")
ENDS = ("", "0123456789abcdef0123456789abcdef01234567", "Az" * 25, "user:pass@host", "eyJhbGciOi.eyJhbGciOi")


def assert_masked_by_every_shape(text: str) -> None:
    assert log_masking._mask_shapes(text) == log_masking._CONTENT.sub(
        log_masking._stars, log_masking._SHAPES.sub(log_masking._stars, text)
    ), text


def test_no_text_with_a_secret_is_taken_for_plain_words() -> None:
    for first, word, between, end in itertools.product(("", "a ", "a/"), WORDS, BETWEEN, ENDS):
        assert_masked_by_every_shape(f"{first}{word}{between}{end}")


@given(st.lists(st.one_of(st.sampled_from(WORDS + BETWEEN + ENDS), TOKENS, st.text(max_size=3))).map("".join))
def test_no_text_with_a_secret_skips_masking(text: str) -> None:
    assert_masked_by_every_shape(text)


def test_a_text_that_was_harmless_is_masked_once_it_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SecretValues()
    monkeypatch.setattr(log_masking, "SECRETS", secrets)
    line = {"event": "an-innocent-word", "another-innocent-word": 20261127, "list": ["an-innocent-word"]}
    assert mask_event(None, "", line) == line
    for secret in ("an-innocent-word", "another-innocent-word", "20261127"):
        secrets.remember(secret)
    assert mask_event(None, "", line) == {"event": "***", "***": "***", "list": ["***"]}


def test_the_cache_of_harmless_texts_is_bounded() -> None:
    for number in range(10_000):
        mask_text(f"an id of its own, {number}")
        mask_text(f"{number} {'x' * 200}")
    cache = log_masking._harmless[1]
    assert len(cache) <= 4096
    assert max(map(len, cache)) <= 128


PIECES = (
    *("_", "a-", "token", "token=", 'token="', "token='\\'", 'token=\\"', "token ", "://", "://a:", "://u:xxxxxxxx"),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "Bearer ", "/bot1", "1", "123456:", "eyJ", "?", "&key="),
    *("\nDETAIL", "input_value=", "authorization: a ", "passw"),
    *("state=", "token '", "token%3D", "token=SecretStr(", "token=a.", "M", "M" * 26 + ".", "/connect/start/", '"d":"'),
)


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_more_than_a_few_passes(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    # It takes some 0.06 s, a few times that on a busy machine; at a quadratic cost it would take many minutes.
    assert cpu_seconds(lambda: mask_text(text)) < 1
