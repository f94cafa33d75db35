"""Errors of Telegram that name another chat."""

from platforms.errors import ErrorKind
from platforms.telegram.errors import ChatMovedError, read_error
from tests.platforms.error_shapes import answer


def test_a_moved_chat_names_its_new_id() -> None:
    error = read_error(answer(400, {"error_code": 400, "parameters": {"migrate_to_chat_id": -100123}}))
    assert isinstance(error, ChatMovedError)
    assert (error.kind, error.chat_id) == (ErrorKind.AUTH, -100123)
