"""Warnings about media whose addresses already say that they are not on the public internet."""

from domain.content import PostContent
from domain.errors import Problem
from domain.preflight import PreflightReason
from media.local_hosts import LocalHosts
from store.models import Post
from store.posts.contents import NewPost


def local_media_warnings(content: PostContent, hosts: LocalHosts) -> list[Problem]:
    """Return a warning for each media item of a post that is never fetched."""
    lists = {
        f"platforms.{position}.customMedia": target.custom_media
        for position, target in enumerate(content.targets)
        if target.custom_media is not None
    }
    if len(lists) < len(content.targets) or not content.targets:
        lists = {"mediaItems": content.media_items} | lists
    return [
        Problem(
            f"The {item.type.value} at {host} will not be fetched: this host is not on the public internet. "
            "Use an address that everybody can open",
            PreflightReason.MEDIA_REFUSED.value,
            f"{path}.{position}",
        )
        for path, items in lists.items()
        for position, item in enumerate(items)
        if (host := hosts.refused_host(item.url))
    ]


def warn_of_local_media_in(new: NewPost, hosts: LocalHosts) -> None:
    """Set the same warning of a post that is about to be inserted."""
    shared = _has_local(new.columns["media_items"], hosts)
    for target in new.targets:
        own = target["custom_media"]
        refused = shared if own is None else _has_local(own, hosts)
        target["preflight_code"] = PreflightReason.MEDIA_REFUSED.value if refused else None


def targets_with_local_media(post: Post, hosts: LocalHosts) -> set[str]:
    """Return the ids of the targets of a post with media that are never fetched."""
    shared = _has_local(post.media_items, hosts)
    return {
        target.id
        for target in post.targets
        if (shared if target.custom_media is None else _has_local(target.custom_media, hosts))
    }


def warn_of_local_media(post: Post, hosts: LocalHosts, earlier: set[str] | frozenset[str] = frozenset()) -> None:
    """Set the warning of targets with media that are never fetched, as a check before the post's time would.

    `earlier`: the ids of targets that had such media before a change.
    """
    refused = targets_with_local_media(post, hosts)
    for target in post.targets:
        if target.id in refused:
            target.preflight_code = PreflightReason.MEDIA_REFUSED
        elif target.id in earlier:
            target.preflight_code = None


def _has_local(items: list[dict[str, str]], hosts: LocalHosts) -> bool:
    return any(hosts.refused_host(item["url"]) for item in items)
