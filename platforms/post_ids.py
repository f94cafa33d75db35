"""The ids of a platform's posts, and the addresses of their pages, as people copy them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

_USER, _OWNER, _NAME = "{user}", "{owner}", "{name}"
_DEFAULT_PORT = {"http": ":80", "https": ":443"}

IdFromAddress = Callable[[str, re.Match[str]], str]
"""A function of an address's scheme and of the match of its pattern, which returns the id."""


@dataclass(frozen=True, slots=True)
class PostId:
    """The form of a platform's post ids: `pattern` matches a whole one, `words` continue the message "must be …"."""

    pattern: str
    words: str = "the post's number, digits alone"
    addresses: tuple[tuple[str, str | IdFromAddress], ...] = ()
    """The addresses of the platform's web pages of posts, and how to read the ids from them.

    Each is a pattern of a URL from its host on, without its fragment, and a template of the id as `re.Match.expand`
    takes it, or a function. `{user}` in a template is the platform's id of the account, if the address names the
    account in another way. The group `owner` of a pattern, also of an id's, must be what `owner` returns, and the group
    `name` the account's name.
    """
    without_id: tuple[str, ...] = ()
    """Patterns of addresses that do not contain the id, but lead a browser to one that does."""
    pages: tuple[tuple[str, str], ...] = ()
    """Patterns of ids, and templates of the addresses of their pages; the first match counts.

    `{owner}` in a template is what `owner` returns, `{name}` the account's name without its server.
    """
    owner: Callable[[str], str] = lambda _: ""
    """Return how ids and addresses name the owner of the account's posts: its server, its chat. Empty if unknown."""

    def read(self, text: str, user_id: str | None = None, username: str = "") -> str | None:
        """Return the id of a post, given the id or the post's address; None if the text is neither of this account.

        Without the platform's id of the account, an address that needs it is returned as it is. Without its name, an
        address may have any.
        """
        return None if self._other_account(text, user_id, username) else self._read(text, user_id)

    def refusal(self, text: str, user_id: str | None = None, username: str = "") -> str:
        """Return why `read` returns None, as the end of a sentence."""
        if other := self._other_account(text, user_id, username):
            return other
        _, address = _split(text)
        if any(re.fullmatch(pattern, address, re.ASCII) for pattern in self.without_id):
            return (
                "is an address that does not contain the post's id: open it in a browser, and copy the address that it "
                "leads to"
            )
        return f"must be {self.words}{', or the address of the post' if self.addresses else ''}"

    def page(self, post_id: str, user_id: str = "", username: str = "") -> str | None:
        """Return an address that leads to a post; None if it does not follow from the id and the account."""
        for pattern, template in self.pages:
            if match := re.fullmatch(pattern, post_id, re.ASCII):
                owner = self.owner(user_id)
                # A server that is named with its port may speak plain http.
                values = {_OWNER: "" if ":" in owner else owner, _NAME: username.partition("@")[0]}
                if any(name in template and not value for name, value in values.items()):
                    return None
                page = match.expand(template)
                for name, value in values.items():
                    page = page.replace(name, value)
                return page
        return None

    def matches(self, text: str) -> bool:
        """Return whether a text may be such an id."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None

    def _read(self, text: str, user_id: str | None) -> str | None:
        if self.matches(text):
            return text
        scheme, address = _split(text)
        for pattern, template in self.addresses:
            match = re.fullmatch(pattern, address, re.ASCII)
            if match is None:
                continue
            if not isinstance(template, str):
                named = template(scheme, match)
            elif user_id is None and _USER in template:
                return text
            else:
                named = match.expand(template).replace(_USER, user_id or "")
            if self.matches(named):
                return named
        return None

    def _other_account(self, text: str, user_id: str | None, username: str) -> str | None:
        """Return what is wrong with an id or address that names another account, None if it does not."""
        owner, renamed = self.owner(user_id) if user_id else "", f"; if its name has changed, give {self.words}"
        _, address = _split(text)
        for pattern, named in ((self.pattern, text), *((pattern, address) for pattern, _ in self.addresses)):
            match = re.fullmatch(pattern, named, re.ASCII)
            groups = match.groupdict() if match else {}
            for own, other, hint in ((owner, groups.get("owner"), ""), (username, groups.get("name"), renamed)):
                if own and other and _spelled(other) != _spelled(own):
                    return f"names a post of {other}, and the posts of this account are of {own}{hint}"
        return None


def _split(text: str) -> tuple[str, str]:
    """Return the scheme of a web address, and the address from its host on; empty texts if it is none."""
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORT:
        return "", ""
    host, slash, path = unquote(rest.partition("#")[0]).partition("/")
    return scheme, host.lower().removesuffix(_DEFAULT_PORT[scheme]).rstrip(".") + slash + path


def _spelled(host: str) -> str:
    """Return a host in one spelling for comparison."""
    try:
        return host.lower().encode("idna").decode()
    except UnicodeError:
        return host.lower()
