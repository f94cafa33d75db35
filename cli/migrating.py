"""Migration of the database's schema and roles and of Temporal's search attributes; it may be repeated."""

from collections.abc import Mapping
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.environment import environment_of
from cli.errors import UserError
from runtime.settings import MigrateSettings
from runtime.temporal import connect
from store.migrate import upgrade
from store.roles import RoleError
from workflows.search_attributes import REGISTRY

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
}
_ATTEMPTS = 4


async def migrate(data_dir: Path | None) -> list[str]:
    """Apply what is missing; return what was done, a sentence each. Raises UserError."""
    environment = environment_of(data_dir, MigrateSettings)
    try:
        await upgrade(environment.settings.database_url.get_secret_value(), environment.settings.roles)
    except RoleError as error:
        raise UserError(f"{error} Nothing was changed.") from None
    done = ["The database is up to date."]
    done += [
        f"The database role {role.name} has the rights of the {role.component}." for role in environment.settings.roles
    ]
    try:
        client = await connect(
            address=environment.temporal_address, namespace=environment.temporal_namespace, attempts=_ATTEMPTS
        )
        added = await register_search_attributes(client, REGISTRY)
    except (RPCError, RuntimeError) as error:
        raise UserError(f"The database is up to date, but Temporal does not answer: {str(error)[:300]}") from error
    return [*done, f"Temporal's search attributes are there ({', '.join(added) if added else 'none'} added)."]


async def register_search_attributes(client: Client, registry: Mapping[str, str]) -> list[str]:
    """Register the search attributes that the namespace lacks; return their names.

    Raises:
        UserError: one exists with another type.
        RPCError: the server refuses (Temporal Cloud registers them in another way).
    """
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    wanted = {name: _TYPES[kind] for name, kind in registry.items()}
    for name, kind in wanted.items():
        if name in answer.custom_attributes and answer.custom_attributes[name] != kind:
            raise UserError(f"Temporal has a search attribute {name} of another type than {registry[name]}.")
    missing = {name: kind for name, kind in wanted.items() if name not in answer.custom_attributes}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return list(missing)
