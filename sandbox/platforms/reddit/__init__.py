"""Reddit's OAuth API: submissions to any subreddit, refusals with status 200, images through a storage."""

from typing import ClassVar

from sandbox.platforms.reddit.submissions import SubmissionRoutes
from sandbox.platforms.reddit.users import UserRoutes


class Reddit(SubmissionRoutes, UserRoutes):
    """The fake Reddit, in place of https://oauth.reddit.com, the sign-in at https://www.reddit.com and the storage."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {
            "extension",
            "items",
            "nsfw",
            "raw_json",
            "resubmit",
            "sendreplies",
            "show_error_list",
            "sort",
            "spoiler",
            "validate_on_submit",
        }
    )
    platform: ClassVar[str] = "reddit"
    label: ClassVar[str] = "Reddit"
    colour: ClassVar[str] = "#ff4500"
    account_prefix: ClassVar[str] = "rd"
