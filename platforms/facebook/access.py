"""Access to Facebook's Pages: a person's authorization yields the Pages on which the person may publish."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from platforms.access.connector import Candidate, Connect, Inspection
from platforms.access.consent import Ends
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, Lifetimes
from platforms.access.token_endpoint import UNREADABLE
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook.rules import FacebookConnection, FacebookCredentials
from platforms.http.wire import Wire, json_object
from platforms.meta.access import MetaConnector, code_endpoint, debugged, granted_targets
from platforms.meta.graph import API, GRAPH, app_proof

_FIELDS = "id,name,username,access_token,tasks,category"
_PUBLISHES = "pages_manage_posts"
_MAY_PUBLISH = {"CREATE_CONTENT", "MANAGE"}
_MOST_PAGES_OF_LIST = 10
_GRAPH = f"https://graph.facebook.com/{API.name}"


class FacebookConnector(MetaConnector[FacebookCredentials]):
    """Facebook's authorization. The tokens of Pages do not expire if the person's token was long-lived.

    Source: developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived.
    """

    name = "facebook"
    settings_page = "Facebook: Settings and privacy, Settings, Business integrations"
    consent_page = f"https://www.facebook.com/{API.name}/dialog/oauth"
    endpoint = code_endpoint(f"{_GRAPH}/oauth/access_token")
    scopes = ("pages_show_list", "pages_read_engagement", _PUBLISHES, "pages_manage_engagement", "business_management")
    optional_scopes = frozenset({"pages_manage_engagement", "business_management"})
    later_scopes = ("read_insights", "pages_read_user_content")
    code_lifetime = "a few minutes"
    ends = Ends.PERSON

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for a person's token, and that for a long-lived one. Raises PlatformError."""
        short = await super().exchange(wire, app, code, redirect_uri, verifier)
        form = {"grant_type": "fb_exchange_token", "fb_exchange_token": short.access_token.get_secret_value()}
        usual = self.platform.base_url
        grant = self.read_grant(json_object(await self.endpoint.post(wire, usual, app, form)))
        person = FacebookCredentials(
            access_token=grant.access_token, client_id=app.client_id, client_secret=app.client_secret
        )
        token = {"Authorization": f"Bearer {grant.access_token.get_secret_value()}"}
        address = wire.address(usual, f"{_GRAPH}/me/permissions")
        permissions = json_object(await wire.send("GET", address, headers=token, params=app_proof(person))).get("data")
        granted = sorted(
            str(permission.get("permission"))
            for permission in (permissions if isinstance(permissions, list) else [])
            if isinstance(permission, dict) and permission.get("status") == "granted"
        )
        # The person's token expires, but those of the Pages do not.
        return Grant(grant.access_token, None, frozenset(granted), Lifetimes(scopes=tuple(granted)))

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[FacebookCredentials]]:
        """Return the person's Pages; some of them the person may only read."""
        connection = connect(self.credentials(app, grant))
        pages: list[dict[str, Any]] = []
        query = {"fields": _FIELDS, "limit": "100"}
        for _ in range(_MOST_PAGES_OF_LIST):
            answer = await GRAPH.get(connection, "/me/accounts", **query)
            listed = answer.get("data")
            pages += [page for page in (listed if isinstance(listed, list) else []) if isinstance(page, dict)]
            paging = answer.get("paging")
            paging = paging if isinstance(paging, dict) else {}
            if not paging.get("next") or not isinstance(paging.get("cursors"), dict):
                break
            query["after"] = str(paging["cursors"].get("after"))
        return [candidate for page in pages if (candidate := self._candidate(app, page))]

    async def inspect(self, connection: FacebookConnection) -> Inspection:
        """Check that the Page's token works and that it is still for this Page. Raises PlatformError."""
        secret = connection.credentials.client_secret
        if secret is None or connection.credentials.client_id is None:
            return await super().inspect(connection)
        asking = f"{connection.credentials.client_id}|{secret.get_secret_value()}"
        inspection, data = await debugged(connection, f"/{API.name}/debug_token", asking)
        targets = granted_targets(data, _PUBLISHES)
        lost = targets is not None and connection.account.user_id not in targets
        return replace(inspection, missing=(_PUBLISHES,)) if lost else inspection

    def can_revoke(self, credentials: FacebookCredentials) -> bool:
        """Return whether the app can be removed for the person, which needs its secret."""
        return credentials.client_id is not None and credentials.client_secret is not None

    async def revoke(self, wire: Wire, app: App, credentials: FacebookCredentials) -> None:
        """Remove the app for the person who granted it the Page. Raises PlatformError.

        A Page's token cannot do that, but the app's own can. Source: User permissions in the Graph API's reference.
        """
        asking = {"Authorization": f"Bearer {app.client_id}|{app.secret}"}
        query = {"input_token": credentials.access_token.get_secret_value()}
        reported = json_object(await wire.send("GET", f"/{API.name}/debug_token", params=query, headers=asking)).get(
            "data"
        )
        data = reported if isinstance(reported, dict) else {}
        person = data.get("user_id")
        if data.get("is_valid") is False and not person:
            return
        if str(data.get("app_id")) != app.client_id:
            # A person's number belongs to an app: at another app it may be somebody else's.
            raise PlatformError(ErrorKind.REJECTED, "Facebook issued this token to another app.", code="another_app")
        if not isinstance(person, str) or not person.isdecimal():
            raise PlatformError(ErrorKind.TRANSIENT, "Facebook did not say whose token it is.", code=UNREADABLE)
        await wire.send("DELETE", f"/{API.name}/{person}/permissions", headers=asking)

    def _candidate(self, app: App, page: Mapping[str, Any]) -> Candidate[FacebookCredentials] | None:
        number, token, tasks = page.get("id"), page.get("access_token"), page.get("tasks")
        if not isinstance(number, str) or not isinstance(token, str) or not token:
            return None
        may = isinstance(tasks, list) and bool(_MAY_PUBLISH & {str(task) for task in tasks})
        credentials = FacebookCredentials(access_token=SecretStr(token), client_id=app.client_id)
        reason = None if may else "You may not publish on this Page. Ask its owner for the task Content."
        name, username = str(page.get("name") or number), page.get("username")
        return Candidate(number, name, "page", credentials, str(username) if username else None, reason)


CONNECTOR = FacebookConnector()
