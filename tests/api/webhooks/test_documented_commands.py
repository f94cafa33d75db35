"""The commands of docs/webhooks.md and docs/events.md, sent as they stand there, but for names and times."""

import json
import re
from pathlib import Path

from tests.activities.receivers import Receiver
from tests.api.conftest import Client

DOCS = Path(__file__).parents[3] / "docs"
_COMMAND = re.compile(r"^curl (?:-X (\w+) )?\"?https://posts\.example\.com(/[^\s\"]+)\"?(.*)$", re.MULTILINE)
_EXAMPLE_URL, _EXAMPLE_TIME = "https://hooks.example.com/socialsyncer", "2030-12-03T10:00:00Z"


def commands(page: str) -> list[tuple[str, str, str]]:
    """Return method, path and options of each curl command of a page."""
    text = (DOCS / page).read_text().replace(" \\\n", " ")
    return [(match[1] or "GET", match[2], match[3]) for match in _COMMAND.finditer(text)]


async def test_each_command_of_the_pages_is_carried_out(api: Client, receiver: Receiver) -> None:
    names = {"$WEBHOOK": "", "$CURSOR": "now", _EXAMPLE_URL: receiver.url}
    paths = []
    for method, path, options in [*commands("webhooks.md"), *commands("events.md")]:
        assert '-H "Authorization: Bearer $KEY"' in options
        body = re.search(r"-d '(.*)'", options)
        texts = [path, body[1] if body else "null"]
        for name, value in names.items():
            texts = [text.replace(name, value) for text in texts]
        wait = "5" if path.endswith("settings") else "0"
        response = await api.request(method, texts[0], json=json.loads(texts[1]), headers={"Prefer": f"wait={wait}"})
        assert response.is_success, (method, path, response.text)
        paths.append(f"{method} {path}")
        if paths[-1] == "POST /v1/webhooks/settings":
            created = response.json()
            names |= {"$WEBHOOK": created["id"], _EXAMPLE_TIME: created["createdAt"]}
            assert created["test"]["outcome"] == "delivered"
    settings = "/v1/webhooks/settings"
    assert paths == [
        *(f"POST {settings}", f"PATCH {settings}/$WEBHOOK", f"POST {settings}/$WEBHOOK/recover"),
        *(f"POST {settings}/$WEBHOOK/rotate", "GET /v1/events", "GET /v1/events?after=$CURSOR"),
    ]
