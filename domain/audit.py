"""The vocabulary of both audit trails: who did what to a post or an account. Names, times and states, never content."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic.alias_generators import to_camel

from domain.content import PostContent
from domain.schedule import rfc3339

MOST_CHANGES = 50
"""Changed fields that one entry of the trail names. A post of many targets can have more."""
LONGEST_VALUE = 200
"""Characters of a value that an entry keeps."""


class ActorType(StrEnum):
    """A kind of actor."""

    API_KEY = "api_key"
    """A client of the API; the id is the key's, which opens nothing."""
    OPERATOR = "operator"
    """A person who runs this service: by Temporal's Web UI or CLI, whose client identity is the id, or by our CLI."""
    WORKER = "worker"
    RECOVERY = "recovery"
    """The part of a worker that starts lost workflows again."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of an event; `id` is None if it is not known, or if there is only one such actor."""

    type: ActorType
    id: str | None = None


WORKER = Actor(ActorType.WORKER)
RECOVERY = Actor(ActorType.RECOVERY)


def api_key(key_id: str) -> Actor:
    """Return the actor of a request to the API."""
    return Actor(ActorType.API_KEY, key_id)


def operator(identity: str | None) -> Actor:
    """Return the actor of what a person who runs this service does."""
    return Actor(ActorType.OPERATOR, identity[:LONGEST_VALUE] if identity else None)


class Action(StrEnum):
    """An event of the audit trail: an action, or its result."""

    CREATED = "created"
    CHANGED = "changed"
    CORRECTED = "corrected"
    """Changed after publishing had begun: failed targets send the new content when they are retried."""
    EDITED = "edited"
    """An edit of a published post was asked for."""
    DELETED = "deleted"
    RETRIED = "retried"
    RESOLVED = "resolved"
    """A person said whether an unconfirmed post is public."""
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    """The workflow was ended by force. The row still promises the post, so it is started again."""
    SIGNALLED = "signalled"
    """An operator sent the workflow a signal."""
    RESET = "reset"
    """An operator let the workflow begin again from an earlier point."""
    RELEASED = "released"
    """What was held continues."""
    RESTARTED = "restarted"
    """A lost workflow was started again from the row."""
    RESTORED = "restored"
    """Rows were lost, so the post is confirmed on its platforms before anything is sent."""
    WARNED = "warned"
    """A check ahead of its time has found why it will not go out."""
    WARNING_CLEARED = "warning_cleared"
    """The cause of such a warning is gone."""
    LATE = "late"
    """No worker had begun it a minute after its time."""
    PREPARED = "prepared"
    SENDING = "sending"
    PUBLISHED = "published"
    REFUSED = "refused"
    """Refused for now; it is tried again."""
    FAILED = "failed"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    """The platform was asked whether an unconfirmed post is public."""
    EDIT_PUBLISHED = "edit_published"
    EDIT_REFUSED = "edit_refused"
    EDIT_UNCONFIRMED = "edit_unconfirmed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that has another value now. Of content, only its name and length are kept, as "120 characters"."""

    field: str
    """As the API names it."""
    before: str | None = None
    after: str | None = None
    platform: str | None = None
    """With `account_id` the target whose field it is; None for the post's own."""
    account_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the change as an entry keeps it."""
        values = {"from": self.before, "to": self.after, "platform": self.platform, "accountId": self.account_id}
        return {"field": self.field, **{name: value for name, value in values.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit trail that belongs to a change of a post."""

    action: Action
    actor: Actor
    changes: tuple[FieldChange, ...] = ()
    targets: tuple[tuple[str, str], ...] = ()
    """Platform and account of the targets concerned; empty if these are all."""
    details: tuple[tuple[str, Any], ...] = ()
    """Further details, by their names in JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return what is kept beside action, actor and time; bounded."""
        document = dict(self.details)
        if self.changes:
            document["changes"] = [change.as_json() for change in self.changes[:MOST_CHANGES]]
        if len(self.changes) > MOST_CHANGES:
            document["moreChanges"] = len(self.changes) - MOST_CHANGES
        if len(self.targets) > 1:
            named = self.targets[:MOST_CHANGES]
            document["targets"] = [{"platform": platform, "accountId": account} for platform, account in named]
        return document


_WITH_VALUES = (
    "timezone",
    "scheduled_for",
    "publish_within",
    "campaign_id",
    "after_post_id",
    "after_delay",
    "after_on_failure",
)
"""Fields whose values an entry keeps. Of all others it keeps the name only, because they may be content."""
_NOT_NAMED = frozenset({"targets", "scheduled_wall", "planned_for"})
"""Fields that are not named: the targets, whose own fields are, and those that follow from `scheduled_for`."""
_NAMES_ONLY = tuple(name for name in PostContent.model_fields if name not in {*_WITH_VALUES, *_NOT_NAMED})
_OF_TARGETS = {
    "custom_content": "customContent",
    "custom_media": "customMedia",
    "settings": "platformSpecificData",
}


def changes_between(before: PostContent, after: PostContent) -> tuple[FieldChange, ...]:
    """Return the fields in which two versions of a post differ; first those whose values are kept."""
    return tuple(_changes(before, after))


def _changes(before: PostContent, after: PostContent) -> Iterator[FieldChange]:
    for name in _WITH_VALUES:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield FieldChange(to_camel(name), _value(old), _value(new))
    for name in _NAMES_ONLY:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield FieldChange(to_camel(name), _length(old), _length(new))
    old_targets = {(target.platform, target.account_id): target for target in before.targets}
    new_targets = {(target.platform, target.account_id): target for target in after.targets}
    for platform, account in sorted(old_targets.keys() - new_targets.keys()):
        yield FieldChange("platforms", before=_value(f"{platform}/{account}"))
    for platform, account in sorted(new_targets.keys() - old_targets.keys()):
        yield FieldChange("platforms", after=_value(f"{platform}/{account}"))
    for key, target in new_targets.items():
        for name, shown in _OF_TARGETS.items():
            if key in old_targets and getattr(old_targets[key], name) != getattr(target, name):
                lengths = _length(getattr(old_targets[key], name)), _length(getattr(target, name))
                yield FieldChange(shown, *lengths, platform=key[0], account_id=key[1])


def _length(value: object) -> str | None:
    """Return how long a text is, for a line that must not keep it; None if it is empty, or no text."""
    if not value or not isinstance(value, str):
        return None
    return "1 character" if len(value) == 1 else f"{len(value):,} characters"


def _value(value: object) -> str | None:
    if value is None:
        return None
    return (rfc3339(value) if isinstance(value, datetime) else str(value))[:LONGEST_VALUE]


class AccountAction(StrEnum):
    """An action on an account."""

    CONNECTED = "connected"
    RECONNECTED = "reconnected"
    """Connected again: with other tokens, under the same id."""
    REMOVED = "removed"
    REVOKED = "revoked"
    """The platform has ended an authorization that this service no longer needs, for a RevocationCause."""
    NOT_REVOKED = "not_revoked"
    """The platform could not be asked to end it for a week, or another connection needs it by now."""


class RevocationCause(StrEnum):
    """Why an authorization is no longer needed."""

    REMOVED = "removed"
    """Its account was removed."""
    REPLACED = "replaced"
    """Its account was connected again, by another authorization."""
    REFUSED = "refused"
    """The connection for which it was given connected no account."""


NEEDED = {"reason": "needed"}
"""Details of a line NOT_REVOKED: the access was not ended, because a connected account needs it."""


class Access(StrEnum):
    """The state of this service's access at the platform after an account was removed."""

    ENDED = "ended"
    KEPT = "kept"
    """The tokens are forgotten, and the platform still knows them."""
    UNKNOWN = "unknown"
    """The platform has not confirmed yet, or did not in time, that it has ended all of it."""
