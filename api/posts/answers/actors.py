"""The actors of changes to posts and accounts, as clients read them.

`identities`: with the names of operators, which other operators see and clients do not.
"""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from api.views import described, view
from domain.audit import ActorType


@view("HistoryActor")
class ActorView(TypedDict):
    """The actor of an event."""

    type: Annotated[ActorType, described("`operator` is a person who runs this service.", "api_key")]
    id: NotRequired[
        Annotated[
            str,
            described("The id of the API key; the key itself is kept nowhere.", "key_019bc10e51307c4f8d2b7f3a6c0e9d41"),
        ]
    ]
    name: NotRequired[Annotated[str, described("The name of the API key, if it has one.", "Editorial office")]]


def actor_view(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> ActorView:
    """Return an actor; `name` is that of an API key, if it has one."""
    kind = ActorType(actor_type)
    actor = ActorView(type=kind)
    if actor_id and (identities or kind is ActorType.API_KEY):
        actor["id"] = actor_id
    if name:
        actor["name"] = name
    return actor


def actor_words(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> str:
    """Return an actor as the subject of a sentence."""
    match ActorType(actor_type):
        case ActorType.API_KEY:
            return f'API key "{name}"' if name else f"API key {actor_id}" if actor_id else "An API key"
        case ActorType.OPERATOR:
            return f"Operator {actor_id}" if identities and actor_id else "An operator"
        case _:
            return "This service"
