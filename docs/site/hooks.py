"""Pages of the site that are no files in docs/: the documents at the root, and what is generated from the code."""

import re
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from domain.post import MediaType
from platforms.registry import platforms
from platforms.rules import FileRule, Rules

_ROOT = Path(__file__).parents[2]
_AT_THE_ROOT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every decision in the navigation."""
    decisions = [f"adr/{path.name}" for path in sorted((_ROOT / "docs/adr").glob("[0-9]*.md"))]
    (explanation,) = [each for each in config.nav or [] if "Explanation" in each]
    explanation["Explanation"].append({"Decisions": ["adr/README.md", *decisions]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in _AT_THE_ROOT.items():
        files.append(File.generated(config, page, content=(_ROOT / name).read_text()))
    files.append(File.generated(config, "platforms.md", content=_platforms()))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Turn links between files of the repository into links between pages."""
    written = {site: name for name, site in _AT_THE_ROOT.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def linked(found: re.Match[str]) -> str:
        target = normpath(f"{written.rpartition('/')[0] or '.'}/{found[1]}")
        wanted = _AT_THE_ROOT.get(target, target.removeprefix("docs/"))
        return f"]({relpath(wanted, page.file.src_uri.rpartition('/')[0] or '.')}"

    return _LINK.sub(linked, markdown)


def _platforms() -> str:
    """Return the limits of every platform as a page, written from the rules that the API applies."""
    parts = [
        "# Limits per platform",
        "What the API checks before it accepts a post, taken from the code. `GET /v1/platforms` has it as data.",
    ]
    for name, platform in sorted(platforms().items()):
        rules = platform.rules
        rows = [("text", _text(rules)), ("media", _media(rules))]
        rows += [(rule.kind.value, _file(rule)) for rule in rules.files]
        if rules.alt_text:
            rows.append(("altText", f"at most {rules.alt_text:,} characters"))
        rows += [("rate", f"{each.limit:,} in {_period(each.per.total_seconds())}") for each in rules.rate_limits]
        table = "\n".join(["| limit | value |", "|---|---|", *(f"| {label} | {value} |" for label, value in rows)])
        parts += [f"## {platform.label} (`{name}`)", table]
    return "\n\n".join(parts) + "\n"


def _text(rules: Rules) -> str:
    premium = f"; {rules.text.premium_limit:,} with a premium account" if rules.text.premium_limit else ""
    return f"at most {rules.text.limit:,} {rules.text.unit}{premium}"


def _media(rules: Rules) -> str:
    media = rules.media
    kinds = ", ".join(f"{most} {kind.value}" for kind, most in media.max_of)
    most = f"at most {media.max_items}" + (f" ({kinds})" if kinds else "")
    return most + ("; needed" if media.required else "") + ("" if media.mixes else "; of one kind")


def _file(rule: FileRule) -> str:
    said = [", ".join(kind.partition("/")[2] for kind in rule.types)]
    said += [_range(rule.min_bytes, rule.max_bytes, "bytes"), _range(rule.min_seconds, rule.max_seconds, "s")]
    said += [
        _range(rule.min_width, rule.max_width, "px wide"),
        _range(rule.min_height, rule.max_height, "px high"),
    ]
    if rule.min_ratio or rule.max_ratio:
        said.append(_range(rule.min_ratio, rule.max_ratio, "width to height"))
    if rule.kind is MediaType.IMAGE and rule.shrinks:
        said.append("larger ones are made smaller")
    return "; ".join(filter(None, said))


def _range(least: float | None, most: float | None, name: str) -> str:
    shown = [f"{value:,}" if value else "" for value in (least, most)]
    match shown:
        case ["", ""]:
            return ""
        case ["", _]:
            return f"at most {shown[1]} {name}"
        case [_, ""]:
            return f"at least {shown[0]} {name}"
    return f"{shown[0]} to {shown[1]} {name}"


def _period(seconds: float) -> str:
    for size, name in ((86400, "a day"), (3600, "an hour"), (60, "a minute")):
        if seconds >= size:
            count = seconds / size
            return name if count == 1 else f"{count:g} {name.split()[1]}s"
    return f"{seconds:g} seconds"
