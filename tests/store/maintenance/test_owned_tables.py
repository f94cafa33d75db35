"""Every table either holds rows of workspaces, which are deleted with them and exported, or is known to hold none."""

import re

from store.maintenance.exports import LEFT_OUT_COLUMNS, LEFT_OUT_TABLES, exported_columns, exported_tables
from store.maintenance.owned_tables import ROOT, SHARED, children, owned_tables
from store.models import Base

TABLES = Base.metadata.tables
_LIKE_A_SECRET = re.compile("token|secret|sha256|digest|hash|sealed|credential|handover|handle|password|private|key$")
_NO_SECRETS = {
    # Names that clients gave their requests.
    "idempotency_keys.key",
}


def test_every_table_is_of_a_workspace_or_shared() -> None:
    owned = {owned.table.name for owned in owned_tables()}
    going_along = {child.name for table in TABLES.values() for child in children(table)}
    assert {ROOT, *SHARED, *owned, *going_along} == set(TABLES), "say in store/maintenance/owned_tables.py whose rows"
    assert not {name for name in SHARED if "workspace_id" in TABLES[name].columns} - {"deletions"}


def test_no_column_that_may_hold_a_secret_is_exported() -> None:
    exported = [owned.table for owned in exported_tables()]
    for table in exported:
        exported.extend(children(table))
    columns = {f"{table.name}.{name}" for table in exported for name in exported_columns(table)}
    assert {name for name in columns if _LIKE_A_SECRET.search(name.split(".")[1])} == _NO_SECRETS
    known = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns}
    assert known >= LEFT_OUT_COLUMNS
    assert set(LEFT_OUT_TABLES) <= set(TABLES)
