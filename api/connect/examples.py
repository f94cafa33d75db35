"""Examples of connecting accounts, for the API's document."""

from typing import Any

from api.connect.schemas import LOGO

_STATE = "mF_9B5f4YkQ2t7Lw0sVx3nRzE6aHcJpD8uGiTbKoNqM"
_POSTED = "4f9d1c0b6a8e7d2f3b5c1a9e8d7f6c0b"
_EXPIRES = "2026-01-15T10:10:00Z"
_SELECTION = "sel_019bc10f27c07a7d4e9a54c1d9e3f0a1"

PAGE: dict[str, Any] = {"name": "Acme Bakery", "logo": LOGO}
BEGUN: dict[str, Any] = {
    "method": "oauth",
    "authUrl": f"https://x.com/i/oauth2/authorize?response_type=code&client_id=abc&state={_STATE}",
    "state": _STATE,
    "connectionId": _SELECTION,
    "expiresAt": _EXPIRES,
    "fields": [{"name": "accessToken", "secret": True, "required": True, "description": None}],
}
HOSTED: dict[str, Any] = {
    **BEGUN,
    "authUrl": f"https://posts.example.com/v1/connect/start/{_STATE}",
    "state": None,
}
WITHOUT_OAUTH: dict[str, Any] = {
    "method": "credentials",
    "authUrl": None,
    "state": None,
    "connectionId": None,
    "expiresAt": None,
    "fields": [
        {"name": "botToken", "secret": True, "required": True, "description": None},
        {"name": "chatId", "secret": False, "required": True, "description": None},
    ],
}
BY_CODE: dict[str, Any] = {
    "method": "code",
    "authUrl": "https://t.me/example_bot?startchannel&admin=post_messages",
    "state": _POSTED,
    "connectionId": _SELECTION,
    "expiresAt": _EXPIRES,
    "fields": WITHOUT_OAUTH["fields"],
}
BODIES: dict[str, dict[str, Any]] = {
    "posted": {"state": _POSTED},
    "code": {"code": "SplxlOBeZQQYbYS6WxSbIA", "state": _STATE, "redirect_url": "https://app.example.com/connected"},
    "credentials": {"credentials": {"botToken": "123456:an-example", "chatId": "@channel"}},
}
ACCOUNT: dict[str, Any] = {
    "platform": "twitter",
    "accountId": "tw_456",
    "username": "jane",
    "connectedAt": "2026-01-15T10:00:12Z",
    "permissions": ["media.write", "offline.access", "tweet.read", "tweet.write", "users.read"],
    "missingPermissions": [],
    "expiresAt": None,
}
SELECTION: dict[str, Any] = {
    "platform": "googlebusiness",
    "accountId": None,
    "username": None,
    "connectedAt": None,
    "permissions": [],
    "missingPermissions": [],
    "expiresAt": None,
    "selection": {
        "id": _SELECTION,
        "expiresAt": "2026-01-15T10:30:12Z",
        "options": [
            {
                "id": number,
                "name": name,
                "username": name,
                "type": "location",
                "connected": False,
                "selectable": True,
                "reason": None,
            }
            for number, name in (("1001", "Bakery"), ("1002", "Café"))
        ],
    },
}
CHOICE: dict[str, dict[str, Any]] = {"one": {"selectionId": _SELECTION, "ids": ["1001"]}}
CHOSEN: dict[str, Any] = {
    "platform": "googlebusiness",
    "accountId": "gb_1001",
    "username": "Bakery",
    "accounts": [{**ACCOUNT, "platform": "googlebusiness", "accountId": "gb_1001", "username": "Bakery"}],
}
_PROGRESS: dict[str, Any] = {
    "platform": "twitter",
    "connectionId": _SELECTION,
    "status": "pending",
    "expiresAt": _EXPIRES,
    "accounts": [],
    "selection": None,
    "refusal": None,
}
PROGRESS: dict[str, dict[str, Any]] = {
    "pending": _PROGRESS,
    "connected": {**_PROGRESS, "status": "connected", "accounts": [ACCOUNT]},
    "selection": {
        **_PROGRESS,
        "platform": "googlebusiness",
        "status": "selection",
        "selection": SELECTION["selection"],
    },
    "failed": {
        **_PROGRESS,
        "status": "failed",
        "refusal": {
            "error": "The authorization was declined at X. Nothing was connected.",
            "code": "authorization_declined",
        },
    },
}
