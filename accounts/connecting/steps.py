"""The steps of connecting accounts: begin, push the request, finish, and connect what a person has selected.

The API holds no app secrets and no key of the vault, so a worker takes all of them. The results are written into the
row of the pending connection.
"""

import base64
from secrets import token_urlsafe

from accounts.connecting.apps import app_begun_with, app_for, connector_at, find_server, register, wire_to
from accounts.connecting.candidates import sealed_candidate
from accounts.connecting.context import ConnectContext, Secrets
from accounts.connecting.grants import exchange_code, note_sealed_grant, use_grant
from accounts.connecting.own_credentials import connect_with_credentials
from accounts.connecting.posted_codes import code_connector, connect_by_code
from accounts.connecting.refusals import ConnectRefused, consent_declined
from accounts.connecting.saving import save_accounts
from platforms.access.consent import FindsServer, PushesRequest, pkce_challenge
from platforms.access.renewal import Grant
from store.secrets.handover import new_pair

_VERIFIER_BYTES = 32


async def begin(context: ConnectContext) -> None:
    """Seal the secrets of this connection, and save the address to which the person is to be sent."""
    row = context.row
    if row.public_key is not None:
        return
    private, public = new_pair()
    secrets: Secrets = {"private_key": base64.b64encode(private).decode()}
    address = None
    if context.is_by_code:
        app = app_for(context)
        secrets |= {"client_id": app.client_id}
        address = await code_connector(context).invite(context.connection, app)
    elif row.redirect_url is not None:
        app, server_facts = app_for(context), await find_server(context)
        connector = connector_at(context, server_facts)
        wire = wire_to(context, connector)
        app = await register(context, connector, wire, app)
        secrets |= {"verifier": token_urlsafe(_VERIFIER_BYTES), "client_id": app.client_id, "found": server_facts}
        if context.platform.app.registers_itself:
            secrets |= {"client_secret": app.secret, "app_options": dict(app.options)}
        if not isinstance(connector, PushesRequest):
            challenge = pkce_challenge(secrets["verifier"])
            address = connector.consent_address(wire, app, row.redirect_url, challenge, row.options)
    await context.write(public_key=public, sealed=context.seal(secrets), authorize_url=address)


async def push(context: ConnectContext) -> None:
    """Push the authorization request to the server, with the state that the API has handed over."""
    row = context.row
    if row.authorize_url is not None:
        return
    secrets = context.open_secrets()
    handover = context.open_handover(secrets)
    connector, app = connector_at(context, secrets["found"]), app_begun_with(context, secrets)
    if not isinstance(connector, PushesRequest):
        return
    wire, challenge = wire_to(context, connector), pkce_challenge(secrets["verifier"])
    address = await connector.push(wire, app, row.redirect_url or "", challenge, handover["state"])
    await context.write(authorize_url=address, handover=None)


async def finish(context: ConnectContext) -> None:
    """Connect accounts by a posted code, by given credentials, or by the answer with which a person came back."""
    row = context.row
    if row.outcome is not None and row.outcome.get("final", True):
        return
    secrets = context.open_secrets()
    if context.is_by_code:
        await connect_by_code(context, secrets)
        return
    if row.consumed_at is None:
        # The API has handed over neither a code nor credentials: only a client of Temporal can ask for this.
        return
    handover = context.open_handover(secrets)
    if row.redirect_url is None:
        await connect_with_credentials(context, handover["credentials"])
        return
    connector = connector_at(context, secrets["found"])
    if "error" in handover:
        raise consent_declined(context.platform, str(handover["error"]))
    app = app_begun_with(context, secrets)
    if "grant" in secrets:
        grant = Grant.load(secrets["grant"])
    elif isinstance(connector, FindsServer) and not connector.is_issuer(handover.get("iss") or None):
        message = "This answer is not that of the server to which the person was sent. Start again, and send `iss`."
        raise ConnectRefused("code_rejected", message)
    else:
        grant = await exchange_code(context, connector, app, handover["code"], secrets)
    await use_grant(context, connector, app, grant, secrets)


async def select(context: ConnectContext) -> None:
    """Connect the accounts that a person has selected."""
    row = context.row
    if row.selected_ids is None or (row.selection_result is not None and row.selection_result.get("final", True)):
        return
    secrets = context.open_secrets()
    note_sealed_grant(context, secrets)
    candidates = secrets["candidates"]
    chosen = []
    for candidate_id in row.selected_ids:
        if candidate_id not in candidates or candidates[candidate_id]["reason"] is not None:
            message = "One of these ids is not among the options of this selection, or cannot be selected."
            raise ConnectRefused("invalid_field_value", message, param="ids")
        chosen.append(sealed_candidate(context.platform, candidate_id, candidates[candidate_id]))
    grant = Grant.load(secrets["grant"])
    await save_accounts(
        context, chosen, "selection_result", secrets["permissions"], secrets["missing"], grant.lifetimes
    )
