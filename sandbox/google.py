"""Google's consent, tokens and refusals of projects, which its platforms share."""

from abc import ABC

from sandbox.authorization import ConsentRules
from sandbox.fake_platform import route
from sandbox.tokens import TokenPlatform, TokenRules
from sandbox.wire import Answer, Request


def error_info(reason: str, metadata: dict[str, str]) -> dict[str, object]:
    """Return what all Google APIs say in an error of why they refuse the operator's project."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"consumer": "projects/1234567890", **metadata},
    }


def consent(*scopes: str) -> ConsentRules:
    """Return Google's rules of consent: people may untick single scopes. How long a code is valid is not documented."""
    known = frozenset(f"https://www.googleapis.com/auth/{scope}" for scope in scopes)
    return ConsentRules(
        "/o/oauth2/v2/auth",
        known,
        code_seconds=600,
        declinable=True,
        optional_parameters=("access_type", "prompt", "login_hint"),
    )


class GoogleConsent(TokenPlatform, ABC):
    """The page of consent, the token endpoint, and the end of what a person has granted."""

    tokens = TokenRules("/token", 3599, refresh="stays", repeats_refresh=False, unnamed_app=None)

    @route("POST", "/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """End all that the person has granted the app, by any of the tokens; the app names itself in no way."""
        form = request.form()
        for name in ("client_id", "client_secret"):
            form.get(name)
        token = str(form.get("token", ""))
        if self.world.accounts.revoke_for_app(self.platform, token, all_of_it=True) is None:
            return Answer.json({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)
        return Answer.json({})
