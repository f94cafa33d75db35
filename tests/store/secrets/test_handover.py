"""Secrets that the API hands to the worker: sealed for the worker alone."""

import pytest

from store.secrets.handover import HandoverError, new_pair, open_handover, seal_for

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
