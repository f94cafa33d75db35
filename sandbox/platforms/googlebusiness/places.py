"""The accounts and locations that a user manages, and the token endpoint."""

from sandbox.fake_platform import route
from sandbox.google import GoogleConsent, consent
from sandbox.platforms.googlebusiness.base import OTHER_GROUP, OTHER_LOCATION, FakeGoogle, account_number, google_error
from sandbox.wire import Answer, RefusedError, Request

TOKEN_SECONDS = 3599


class PlaceRoutes(FakeGoogle, GoogleConsent):
    """The routes of the account management and business information APIs that connecting needs."""

    consent = consent("business.manage")

    @route("GET", "/v1/accounts", "auth")
    async def accounts(self, request: Request) -> Answer:
        """List the accounts of a user."""
        account = self.account(request)
        name, own = f"accounts/{account_number(account)}", account.username
        accounts = [{"name": name, "accountName": own, "type": "PERSONAL"}]
        if self.holds("organisation", account):
            accounts = [
                {"name": "accounts/201", "accountName": f"{own} Ltd", "type": "ORGANIZATION"},
                {"name": "accounts/202", "accountName": f"{own} shops", "type": "LOCATION_GROUP"},
                *accounts,
            ]
        if self.holds("other_group", account):
            accounts.append(
                {"name": f"accounts/{OTHER_GROUP}", "accountName": f"{own}'s group", "type": "LOCATION_GROUP"}
            )
        if self.holds("unlisted_account", account):
            accounts.insert(0, {"name": "accounts/203", "accountName": "Another's", "type": "LOCATION_GROUP"})
        return Answer.json({"accounts": accounts})

    @route("GET", "/v1/accounts/{account}/locations", "auth")
    async def locations(self, request: Request) -> Answer:
        """List the locations of an account."""
        account = self.account(request)
        if request.params["account"] == "203":
            raise RefusedError(google_error(403))
        if request.params["account"] == OTHER_GROUP and self.holds("other_group", account):
            return Answer.json({"locations": [{"name": f"locations/{OTHER_LOCATION}", "title": "Other"}]})
        groups = {"201", "202"} if self.holds("organisation", account) else set()
        if request.params["account"] not in {account_number(account), *groups}:
            raise RefusedError(google_error(404))
        if not request.query.get("readMask"):
            raise RefusedError(google_error(400))
        return Answer.json({"locations": [{"name": f"locations/{account.user_id}", "title": account.username}]})

    @route("POST", "/token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a refresh token for an access token; Google's refresh tokens may be used again."""
        form = request.form()
        if form.get("grant_type") == "authorization_code":
            return self.redeem(form)
        token = str(form.get("refresh_token", ""))
        if form.get("grant_type") != "refresh_token":
            return _refused("unsupported_grant_type", "Invalid grant_type")
        for account in self.world.accounts:
            if account.platform == self.platform and token in account.refresh_tokens:
                access = self.world.accounts.issue(account, TOKEN_SECONDS)
                scope = "https://www.googleapis.com/auth/business.manage"
                body = {"access_token": access, "expires_in": TOKEN_SECONDS, "scope": scope, "token_type": "Bearer"}
                return Answer.json(body)
        return _refused("invalid_grant", "Token has been expired or revoked.")


def _refused(error: str, description: str) -> Answer:
    return Answer.json({"error": error, "error_description": description}, 400)
