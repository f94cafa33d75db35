"""All operations of this API, in the order of its document."""

from api.accounts.operations import ACCOUNT_OPERATIONS
from api.bulk.operations import BULK_OPERATIONS
from api.connect.operations import CONNECT_OPERATIONS
from api.platforms import LIST_PLATFORMS
from api.posts.operations import OUTCOME_OPERATIONS, POST_OPERATIONS

OPERATIONS = (
    *POST_OPERATIONS,
    *BULK_OPERATIONS,
    LIST_PLATFORMS,
    *OUTCOME_OPERATIONS,
    *ACCOUNT_OPERATIONS,
    *CONNECT_OPERATIONS,
)
