"""Secrets that this process holds are masked wherever they occur, and handed over to their worker only."""

import string
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.registry import platforms
from store.secrets.handover import HandoverError, new_pair, open_handover, seal_for
from store.secrets.secret_values import MASK, SECRET_FIELD, SecretValues

CONTENT = {"code": "a-code-of-somebody"}


def test_only_the_private_key_opens_a_handover() -> None:
    private, public = new_pair()
    sealed = seal_for(public, CONTENT, "sel_1")
    assert open_handover(private, sealed, "sel_1") == CONTENT
    assert b"a-code" not in sealed
    assert seal_for(public, CONTENT, "sel_1") != sealed
    with pytest.raises(HandoverError):
        open_handover(new_pair()[0], sealed, "sel_1")


def test_handover_opens_only_unchanged_for_its_connection() -> None:
    private, public = new_pair()
    sealed = seal_for(public, CONTENT, "sel_1")
    with pytest.raises(HandoverError):
        open_handover(private, sealed, "sel_2")
    for changed in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"", sealed[:40]):
        with pytest.raises(HandoverError):
            open_handover(private, changed, "sel_1")


SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "-_.~+/=:%!$*@#&?", min_size=8, max_size=80)
SURROUNDINGS = st.sampled_from(
    (
        *("{}", "token={}", '{"a": "{}"}', "b'{}'", "/bot{}/send", "x{}y"),
        *("Bearer {},", "<{}>", "({})", "{}\n{}", "…{}…", "[{}]"),
    )
)


@given(SECRETS, SURROUNDINGS)
def test_secret_is_masked_anywhere_in_a_text(secret: str, surroundings: str) -> None:
    known = SecretValues()
    known.remember(secret)
    assert secret not in known.mask(surroundings.replace("{}", secret))


@given(st.lists(SECRETS, min_size=1, max_size=5), st.text(max_size=9), st.text(max_size=9), st.integers(12, 80))
def test_a_secret_is_masked_at_every_place_and_if_it_is_cut_off(
    secrets: list[str], before: str, after: str, length: int
) -> None:
    known = SecretValues(most=40)
    for secret in secrets:
        known.remember(secret)
    newest = secrets[-1]
    assert newest not in known.mask(f"{before}{newest}{after}")
    cut = newest[:length]
    assert cut not in known.mask(f"{before}{cut}") or len(cut) < 12


def test_each_new_secret_makes_a_new_version() -> None:
    known = SecretValues()
    versions = [known.version]
    for secret in ("first-secret", "second-secret", "first-secret"):
        known.remember(secret)
        versions.append(known.version)
    assert versions[0] < versions[1] < versions[2] == versions[3]


@given(SECRETS)
def test_the_forms_in_which_a_secret_is_sent_are_masked(secret: str) -> None:
    known = SecretValues()
    known.remember(secret)
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
        assert form not in known.mask(f"asked /x?access={form} in vain")


def test_other_words_stay() -> None:
    known = SecretValues()
    known.remember("a-secret-token")
    text = "a-secret-to is not it, nor is A-SECRET-TOKEN, nor a-secret"
    assert known.mask(text) == text


def test_a_secret_that_is_cut_off_at_the_end_is_masked() -> None:
    known = SecretValues()
    known.remember("a-secret-token-of-some-length")
    assert known.mask("it was a-secret-token-of") == f"it was {MASK}"


def test_the_longest_of_two_secrets_with_the_same_beginning_is_masked() -> None:
    known = SecretValues()
    for secret in ("same-beginning", "same-beginning-and-more"):
        known.remember(secret)
    assert known.mask("same-beginning-and-more! same-beginning!") == f"{MASK}! {MASK}!"


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        ("https://discord.com/api/webhooks/123456789/aVeryLongTokenOfAWebhook", "aVeryLongTokenOfAWebhook"),
        ("postgresql://socialsyncer:p%40ss-word-of-it@127.0.0.1:5432/socialsyncer", "p%40ss-word-of-it"),
    ],
)
def test_the_secret_part_of_an_address_is_masked_alone_too(secret: str, part: str) -> None:
    known = SecretValues()
    known.remember(secret)
    assert known.mask(f"asked {secret} now") == f"asked {MASK} now"
    assert known.mask(f"asked /x/{part}/y now") == f"asked /x/{MASK}/y now"


def test_words_of_a_passphrase_are_masked() -> None:
    known = SecretValues()
    known.remember("correct horsehair batteries")
    masked = known.mask("is it correct horsehair batteries?")
    assert "horsehair" not in masked
    assert "batteries" not in masked


def test_the_oldest_secrets_are_forgotten() -> None:
    known = SecretValues(most=3)
    for number in range(5):
        known.remember(f"secret-number-{number}")
    known.remember("secret-number-2")
    known.remember("secret-number-5")
    masked = [number for number in range(6) if known.mask(f"secret-number-{number}") == MASK]
    assert masked == [2, 4, 5]


def test_threads_may_remember_and_mask_at_the_same_time() -> None:
    known = SecretValues(most=1750)
    failures = []

    def work(name: int) -> None:
        for number in range(500):
            secret = f"secret-of-{name}-{number}"
            known.remember(secret)
            if known.mask(f"({secret})") != f"({MASK})":
                failures.append(secret)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("platform", sorted(platforms()))
def test_every_secret_of_a_platforms_credentials_is_known_by_its_name(platform: str) -> None:
    for name, field in platforms()[platform].credentials.model_fields.items():
        if "SecretStr" in str(field.annotation):
            assert SECRET_FIELD.search(name), f"{platform}'s {name} would not be masked in logs"
