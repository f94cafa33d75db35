"""All operations that the document describes, in its order."""

from api.accounts.routes import AccountEndpoints
from api.bulk.routes import BulkEndpoints
from api.calendar.routes import CalendarEndpoints, CalendarViewEndpoints
from api.campaigns.routes import CampaignEndpoints
from api.connect.routes import ConnectEndpoints
from api.events.routes import EventEndpoints
from api.http.operation import operations_served
from api.imports.routes import ImportEndpoints
from api.keys.routes import KeyEndpoints
from api.media.routes import MediaEndpoints, MultipartEndpoints
from api.pauses.routes import PauseEndpoints
from api.platforms import PlatformEndpoints
from api.posts.routes import OutcomeEndpoints, PostEndpoints
from api.queues.routes import QueueEndpoints
from api.series.routes import SeriesEndpoints
from api.webhooks.routes import WebhookEndpoints

CONTROLLERS = (
    PostEndpoints,
    BulkEndpoints,
    ImportEndpoints,
    MediaEndpoints,
    MultipartEndpoints,
    PlatformEndpoints,
    OutcomeEndpoints,
    CalendarEndpoints,
    CalendarViewEndpoints,
    CampaignEndpoints,
    SeriesEndpoints,
    PauseEndpoints,
    EventEndpoints,
    QueueEndpoints,
    WebhookEndpoints,
    AccountEndpoints,
    ConnectEndpoints,
    KeyEndpoints,
)
OPERATIONS = tuple(served for controller in CONTROLLERS for served in operations_served(controller))
"""Each after the name of its handler and the first line of its docstring."""
