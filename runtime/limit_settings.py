"""The settings that limit what a key and a workspace may do."""

import math

from pydantic import BaseModel, Field

from api.shared.workspace_usage import MOST_MB, MOST_OPEN_POSTS, MOST_POSTS
from domain.request_limits import POSTS_PER_MINUTE, REQUESTS_PER_MINUTE, WINDOW_S, Policy, posts_policy, requests_policy
from domain.uploads import UPLOAD_QUOTA
from domain.workspaces import MOST_ACCOUNTS

_OLD_RATE, _OLD_BURST = 100.0, 1_000
"""The defaults of api_rate and api_burst in version 0.1."""


class LimitSettings(BaseModel):
    """The limits among the settings that every part shares; a group of `runtime.settings.Settings`."""

    requests_per_minute: int = Field(
        default=REQUESTS_PER_MINUTE,
        ge=0,
        le=6_000_000,
        description="requests that an API key without a rate of its own may make, at all api processes; 0: any number",
    )
    posts_per_minute: int = Field(
        default=POSTS_PER_MINUTE,
        ge=0,
        le=6_000_000,
        description="posts that a workspace may create or change, at all api processes; 0: any number",
    )
    api_rate: float | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="the name of requests_per_minute in version 0.1, a second; read if that is not set",
    )
    api_burst: int | None = Field(
        default=None, ge=1, le=1_000_000, description="of version 0.1: requests at once; read if that is not set"
    )
    max_open_posts: int = Field(
        default=MOST_OPEN_POSTS,
        ge=0,
        le=100_000_000,
        description="posts of one workspace that may be drafts, scheduled or publishing; 0 for any number",
    )
    max_posts: int = Field(
        default=MOST_POSTS, ge=0, le=10**12, description="posts of one workspace in all; 0 for any number"
    )
    max_posts_mb: int = Field(
        default=MOST_MB, ge=0, le=10**9, description="MiB of all posts of one workspace; 0 for any number"
    )
    max_media_mb: int = Field(
        default=UPLOAD_QUOTA // 2**20, ge=0, le=10**9, description="MiB of one workspace's uploads; 0 for any number"
    )
    max_accounts: int = Field(
        default=MOST_ACCOUNTS, ge=0, le=10**9, description="accounts that a workspace may connect; 0 for any number"
    )

    @property
    def requests_policy(self) -> Policy:
        """Return the limit of the requests of a key: if only the settings of version 0.1 are set, by these."""
        if "requests_per_minute" in self.model_fields_set or not self.has_old_limits:
            return requests_policy(self.requests_per_minute)
        rate = _OLD_RATE if self.api_rate is None else self.api_rate
        return requests_policy(math.ceil(rate * WINDOW_S), self.api_burst or _OLD_BURST)

    @property
    def has_old_limits(self) -> bool:
        """Return whether a limit is set by a name of version 0.1."""
        return self.api_rate is not None or self.api_burst is not None

    @property
    def posts_policy(self) -> Policy:
        """Return the limit of the posts of a workspace. In version 0.1, api_rate was that of posts, too."""
        if "posts_per_minute" not in self.model_fields_set and self.api_rate == 0:
            return posts_policy(0)
        return posts_policy(self.posts_per_minute)
