"""The actors of changes to posts and accounts, as clients read them.

`identities`: with the names of operators, which other operators see and clients do not.
"""

from typing import Any

from pydantic import ConfigDict, Field

from api.posts.answers.views import View
from domain.audit import ActorType


class ActorView(View):
    """The actor of an event."""

    model_config = ConfigDict(title="HistoryActor")

    optional_fields = frozenset({"id", "name"})

    type: ActorType = Field(description="`operator` is a person who runs this service.", examples=["api_key"])
    id: str = Field(
        description="The id of the API key; the key itself is kept nowhere.",
        examples=["key_019bc10e51307c4f8d2b7f3a6c0e9d41"],
    )
    name: str = Field(description="The name of the API key, if it has one.", examples=["Editorial office"])


def actor_view(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> ActorView:
    """Return an actor; `name` is that of an API key, if it has one."""
    kind = ActorType(actor_type)
    given: dict[str, Any] = {}
    if actor_id and (identities or kind is ActorType.API_KEY):
        given["id"] = actor_id
    if name:
        given["name"] = name
    return ActorView.model_construct(type=kind, **given)


def actor_words(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> str:
    """Return an actor as the subject of a sentence."""
    match ActorType(actor_type):
        case ActorType.API_KEY:
            return f'API key "{name}"' if name else f"API key {actor_id}" if actor_id else "An API key"
        case ActorType.OPERATOR:
            return f"Operator {actor_id}" if identities and actor_id else "An operator"
        case _:
            return "This service"
