"""Migration of the database's schema and roles and of Temporal's search attributes; it may be repeated."""

from collections.abc import Mapping
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.temporal_client import temporal_client
from domain.errors import Unavailable
from domain.printable import error_words
from runtime.logging import configure
from runtime.settings import MigrateSettings
from store.dsn import parse_dsn
from store.maintenance.servers import read_installation
from store.migrate import upgrade
from store.pooler import shares_sessions
from store.roles import RoleError
from store.schema.revisions import SchemaError, code_version
from workflows.client.namespace import ForeignNamespaceError, claim_namespace, take_over_namespace
from workflows.search_attributes import REGISTRY

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
}
_ATTEMPTS = 4
_POOLED = (
    "A pooler between this command and PostgreSQL gives the statements of one connection to several sessions, so two "
    "migrations could run at a time. Set SOCIALSYNCER_DATABASE_DIRECT_URL to PostgreSQL's own address."
)


async def migrate(data_dir: Path | None, *, contract: bool = False, takes_over: bool = False) -> list[str]:
    """Apply what is missing; return what was done, a sentence each. Raises UserError."""
    environment = find_environment(data_dir, MigrateSettings)
    settings = environment.settings
    configure(settings.log_level, settings.log_format)
    sentences = await _migrate_database(settings, contract=contract)
    async with open_database(environment) as database:
        installation = await read_installation(database)
    reserve = take_over_namespace if takes_over else claim_namespace
    try:
        async with temporal_client(environment, attempts=_ATTEMPTS) as client:
            await reserve(client, installation)
            if settings.search_attributes == "check":
                await _check_search_attributes(client)
                added = []
            else:
                added = await register_search_attributes(client, REGISTRY)
            # The SDK's threads end with the last reference.
            del client
    except ForeignNamespaceError as error:
        raise UserError(f"The database is up to date. {error}") from None
    except Unavailable:
        raise UserError("The database is up to date, but Temporal does not answer.") from None
    except (RPCError, RuntimeError) as error:
        raise UserError(
            f"The database is up to date, but Temporal does not answer: {error_words(error)[:300]}"
        ) from error
    if takes_over:
        sentences.append("Temporal's namespace belongs to this database now.")
    return [*sentences, f"Temporal's search attributes are there ({', '.join(added) if added else 'none'} added)."]


async def _migrate_database(settings: MigrateSettings, *, contract: bool) -> list[str]:
    try:
        if await shares_sessions(parse_dsn(settings.direct_url)):
            raise UserError(_POOLED)
        migration = await upgrade(settings.direct_url, settings.roles, contract=contract)
    except RoleError as error:
        raise UserError(f"{error} Nothing was changed.") from None
    except SchemaError as error:
        raise UserError(str(error)) from None
    if migration.newer is not None:
        newer = f"A newer version has made the database's schema (revision {migration.newer})."
        return [f"{newer} Version {code_version()} can use it. Nothing was changed."]
    applied = ", ".join(revision.name for revision in migration.applied) or "nothing"
    sentences = [f"The database is up to date ({applied} applied)."]
    if migration.remaining:
        remaining = ", ".join(revision.name for revision in migration.remaining)
        sentences.append(
            f"Revision {remaining} removes what older versions use. "
            "After their last process has ended, run `socialsyncer migrate --contract`."
        )
    return sentences + [
        f"The database role {role.name} has the rights of the {role.component}." for role in settings.roles
    ]


async def missing_search_attributes(client: Client, registry: Mapping[str, str]) -> list[str]:
    """Return the names of the search attributes that the namespace lacks, as the workflow service tells.

    Temporal Cloud refuses the operator service. Raises UserError if one exists with another type.
    """
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    aliases = described.config.custom_search_attribute_aliases
    answer = await client.workflow_service.get_search_attributes(GetSearchAttributesRequest())
    types = {aliases.get(field, field): kind for field, kind in answer.keys.items()}
    for name, kind in registry.items():
        if types.get(name, _TYPES[kind]) != _TYPES[kind]:
            raise UserError(f"Temporal has a search attribute {name} of another type than {kind}.")
    return [name for name in registry if name not in types]


async def _check_search_attributes(client: Client) -> None:
    """Check that the namespace has all search attributes. Raises UserError with the commands that make missing ones."""
    missing = await missing_search_attributes(client, REGISTRY)
    if not missing:
        return
    cloud = "".join(f' --search-attribute "{name}={REGISTRY[name]}"' for name in missing)
    own = "".join(f" --name {name} --type {REGISTRY[name]}" for name in missing)
    raise UserError(
        "The database is up to date, but Temporal lacks search attributes. Run this, and this command again.\n"
        f"  At Temporal Cloud: tcld namespace search-attributes add --namespace {client.namespace}{cloud}\n"
        f"  At a server of your own: temporal operator search-attribute create --namespace {client.namespace}{own}"
    )


async def register_search_attributes(client: Client, registry: Mapping[str, str]) -> list[str]:
    """Register the search attributes that the namespace lacks; return their names.

    Raises:
        UserError: one exists with another type.
        RPCError: the server refuses, as Temporal Cloud does (SOCIALSYNCER_SEARCH_ATTRIBUTES=check).
    """
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    attributes = {name: _TYPES[kind] for name, kind in registry.items()}
    for name, kind in attributes.items():
        if name in answer.custom_attributes and answer.custom_attributes[name] != kind:
            raise UserError(f"Temporal has a search attribute {name} of another type than {registry[name]}.")
    missing = {name: kind for name, kind in attributes.items() if name not in answer.custom_attributes}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return list(missing)
