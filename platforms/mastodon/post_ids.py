"""The ids of posts on servers of Mastodon's API, and the addresses of their pages, which each program forms itself."""

import hashlib
import re

from platforms.post_ids import PostId

_SERVER = r"(?P<owner>[^/]+)/"
_MORE = r"(?:[/?].*)?"
_ID = r"([A-Za-z0-9_-]{1,64})"


def is_of_snac(post_id: str) -> bool:
    """Return whether the id of a status has snac's form: a time and a digest."""
    return re.fullmatch(r"[0-9]{10}[0-9a-f]{32}", post_id) is not None


def _snac_id(scheme: str, match: re.Match[str]) -> str:
    """Return snac's id of a post: the second in which it was made, and the digest of its address."""
    path, second = match[0].partition("?")[0].rstrip("/"), match[2]
    address = f"{scheme}://{path}"
    return second + hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


POST_ID = PostId(
    r"[A-Za-z0-9_-]{1,64}",
    "the post's id on the account's own server",
    # An address with a second server in the name is another server's page of the post, under an id of its own. After a
    # name only digits are an id: there are also pages such as /@name/media and /@name/tagged/word.
    addresses=(
        # Mastodon, also its interface with columns and its older one
        (rf"{_SERVER}(?:(?:web|deck)/)?@[^/@]+/([0-9]{{1,64}}){_MORE}", r"\2"),
        (rf"{_SERVER}(?:web/|deck/)?statuses/{_ID}{_MORE}", r"\2"),
        (rf"{_SERVER}(?:ap/)?users/[^/@]+/statuses/{_ID}{_MORE}", r"\2"),
        # GoToSocial; Takahē
        (rf"{_SERVER}@[^/@]+/(?:statuses|posts)/{_ID}/?(?:\?.*)?", r"\2"),
        # Pleroma and Akkoma
        (rf"{_SERVER}notice/{_ID}{_MORE}", r"\2"),
        # Pixelfed
        (rf"{_SERVER}p/[^/]+/([0-9]{{1,64}}){_MORE}", r"\2"),
        # Misskey and its kin
        (rf"{_SERVER}notes/{_ID}{_MORE}", r"\2"),
        # Mitra
        (rf"{_SERVER}post/([0-9a-f-]{{36}}){_MORE}", r"\2"),
        # snac
        (rf"{_SERVER}[^/@]+/p/([0-9]{{10}})\.[0-9]{{1,9}}/?(?:\?.*)?", _snac_id),
    ),
    # Pleroma, Akkoma and Friendica
    without_id=(r"[^/]+/(?:objects|activities|display)/.+",),
    # Ids are times. Mastodon's are milliseconds since 1970 before 16 bits, below 2 * 10^17 until 2066; Pixelfed's are
    # milliseconds since 2019 before 22 bits, above that since 2020. GoToSocial has ULIDs, Pleroma 128 bits in base 62.
    pages=(
        (r"[0-9]{1,17}|1[0-9]{17}", r"https://{owner}/@{name}/\g<0>"),
        (r"[0-9]{18,19}", r"https://{owner}/p/{name}/\g<0>"),
        (r"[0-7][0-9A-HJKMNP-TV-Z]{25}", r"https://{owner}/@{name}/statuses/\g<0>"),
        (r"A[0-9A-Za-z]{17}", r"https://{owner}/notice/\g<0>"),
    ),
    owner=lambda user_id: user_id.partition("@")[2],
)
