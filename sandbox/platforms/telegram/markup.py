"""Functions that read a text's HTML markup as Telegram does; Markdown is shown as it was written."""

from html.parser import HTMLParser

from sandbox.platforms.telegram.base import bad

_TAGS = {
    "a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "span", "strike", "strong", "tg-emoji",
    "tg-spoiler", "u",
}  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {self.getpos()[1]}')
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise bad(f"can't parse entities: Unexpected end tag at byte offset {self.getpos()[1]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def finish(self) -> str:
        self.close()
        if self._open:
            raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1]}\"")
        return "".join(self.text)


def shown(text: str, parse_mode: object) -> str:
    """Return the text that readers see; refuses markup that Telegram cannot read."""
    mode = str(parse_mode or "").lower()
    if mode not in {"", "html", "markdown", "markdownv2"}:
        raise bad("unsupported parse_mode")
    if mode != "html":
        return text
    reader = _Reader()
    reader.feed(text)
    return reader.finish()


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
