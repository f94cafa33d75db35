"""TikTok's page of consent, and the exchange of codes."""

from sandbox.authorization import ConsentRules, OAuthError
from sandbox.platforms.tiktok.base import FakeTikTok
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer

_SCOPES = frozenset(("user.info.basic", "user.info.profile", "video.publish", "video.upload", "video.list"))


class ConsentRoutes(FakeTikTok):
    """The route of the page of consent; the token endpoint calls `redeem`."""

    # Web apps send no challenge, and people may untick single permissions. How long a code is valid is not documented.
    consent = ConsentRules(
        "/v2/auth/authorize/",
        _SCOPES,
        code_seconds=600,
        pkce="none",
        scope_separator=",",
        declinable=True,
        client_id="client_key",
        optional_parameters=("disable_auto_auth",),
    )

    def redeem(self, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens, in OAuth's own format."""
        client = str(form.get("client_key", "")), str(form.get("client_secret", ""))
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            status = 401 if problem.code == "invalid_client" else 400
            body = {"error": problem.code, "error_description": problem.description, "log_id": "2026"}
            return Answer.json(body, status)
        return Answer.json(
            {
                "access_token": self.world.accounts.issue(account, 7_200),
                "expires_in": 7_200,
                "open_id": account.user_id,
                "refresh_token": self.world.accounts.issue_refresh(account),
                "refresh_expires_in": 15_552_000,
                "scope": ",".join(scopes),
                "token_type": "Bearer",
            }
        )
