"""The Python client sends files in parts, continues them, and lets the service fetch others."""

import json
from pathlib import Path

import httpx
import pytest

from tests.clients.prepared import Server, client, error

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400), pytest.mark.usefixtures("client_package", "waits")]


def upload_answer(*received: bool, address: str | None = None) -> httpx.Response:
    url = address or "https://posts.example.com/v1/media/multipart/med_1/parts/"
    parts = [
        {"number": number, "size": 4, "received": has_come, "uploadUrl": None if has_come else f"{url}{number}"}
        for number, has_come in enumerate(received, 1)
    ]
    return httpx.Response(201, json={"id": "med_1", "size": 8, "partSize": 4, "parts": parts})


def test_an_upload_continues_where_it_broke_off(tmp_path: Path) -> None:
    from socialsyncer_client import UploadInterrupted

    file = tmp_path / "a.jpg"
    file.write_bytes(b"abcdefgh")
    broken, part = httpx.WriteError("x"), httpx.Response(200, json={"number": 1, "size": 4})
    ready = httpx.Response(200, json={"id": "med_1", "state": "ready", "publicUrl": "https://x/a.jpg"})
    server = Server(upload_answer(False, False), part, broken, broken, upload_answer(True, False), part, ready)
    assert client(server, attempts=2).upload(file).public_url == "https://x/a.jpg"
    puts = [(request.url.path[-1], request.content) for request in server.requests if request.method == "PUT"]
    assert puts == [("1", b"abcd"), ("2", b"efgh"), ("2", b"efgh"), ("2", b"efgh")]
    # The API names itself otherwise than the client, which sends the key only to the address that it was given.
    assert {request.url.host for request in server.requests} == {"api.test"}
    begun = json.loads(server.requests[0].content)
    assert (begun["filename"], begun["contentType"], begun["size"]) == ("a.jpg", "image/jpeg", 8)
    # A begin whose answer is lost is repeated with its key.
    server = Server(broken, upload_answer(True, True), ready)
    assert client(server, attempts=2).upload(file).state == "ready"
    assert len(set(server.keys[:2])) == 1
    expired = httpx.Response(403, text="<Error>Request has expired</Error>")
    server = Server(*(upload_answer(False), broken, upload_answer(False), expired, upload_answer(False), error(503)))
    with pytest.raises(UploadInterrupted) as caught:
        client(server, attempts=1).upload(file)
    assert caught.value.media_id == "med_1"
    # Whatever fails once the id is known, also while the service starts again, says how to continue.
    for answers in ([broken], [upload_answer(True), error(503)], [error(503)]):
        with pytest.raises(UploadInterrupted, match="not uploaded whole"):
            client(Server(*answers), attempts=1).upload(file, resume="med_1")
    for answers, methods in (
        ([upload_answer(True, True), ready], ["GET", "POST"]),
        # The answer to the completion was lost.
        ([upload_answer(True, True), error(503), ready], ["GET", "POST", "POST"]),
        ([error(404), ready], ["GET", "POST"]),
    ):
        server = Server(*answers)
        assert client(server).upload(file, resume="med_1").state == "ready"
        assert [request.method for request in server.requests] == methods


def test_a_signed_part_goes_to_the_named_api_without_the_key(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"abcd")
    ready = httpx.Response(200, json={"id": "med_1", "state": "ready"})
    server = Server(
        upload_answer(False, address="https://posts.example.com/media/upload/med_1."), httpx.Response(200), ready
    )
    client(server).upload(file)
    assert [request.url.path for request in server.requests][1] == "/media/upload/med_1.1"
    assert {request.url.host for request in server.requests} == {"api.test"}
    assert ["Authorization" in request.headers for request in server.requests] == [True, False, True]


def test_another_server_gets_the_parts_and_not_the_key(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"abcd")
    ready = httpx.Response(200, json={"id": "med_1", "state": "ready"})
    server = Server(upload_answer(False, address="https://bucket.test/x?number="), httpx.Response(200), ready)
    client(server).upload(file)
    assert [request.url.host for request in server.requests] == ["api.test", "bucket.test", "api.test"]
    assert ["Authorization" in request.headers for request in server.requests] == [True, False, True]


def test_the_service_fetches_a_file_while_the_client_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    from socialsyncer_client import UploadFailed, WaitTimeout, waiting

    monkeypatch.setattr(waiting, "_FIRST_S", 0.01)

    def file(state: str, status: int = 202, **more: str) -> httpx.Response:
        return httpx.Response(status, json={"id": "med_1", "state": state, "publicUrl": "https://x/a.jpg"} | more)

    server = Server(file("fetching"), file("fetching", 200), file("ready", 200))
    assert client(server).upload_from_url("https://y/a?b", filename="a.jpg").public_url == "https://x/a.jpg"
    assert json.loads(server.requests[0].content) == {"url": "https://y/a?b", "filename": "a.jpg"}
    assert "Idempotency-Key" in server.requests[0].headers
    assert [request.url.path for request in server.requests] == ["/v1/media/fetch", *["/v1/media/med_1"] * 2]
    server = Server(file("rejected", 202, error="It is a page.", errorCode="media_is_html"))
    with pytest.raises(UploadFailed, match=r"It is a page\.") as caught:
        client(server).upload_from_url("https://y/a")
    assert (caught.value.media_id, caught.value.code) == ("med_1", "media_is_html")
    with pytest.raises(WaitTimeout):
        client(Server(file("fetching"))).upload_from_url("https://y/a", timeout=0)
