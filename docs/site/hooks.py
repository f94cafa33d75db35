"""Pages of the site that are no files in docs/: the documents at the root, and what is generated from the code."""

import re
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from platform_limits import platform_limits

_ROOT = Path(__file__).parents[2]
_AT_THE_ROOT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_BOOST_OF_A_DECISION = 0.5
"""Someone who searches wants to do something first, and the reasons later."""
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every decision in the navigation."""
    decisions = [f"adr/{path.name}" for path in sorted((_ROOT / "docs/adr").glob("[0-9]*.md"))]
    (explanation,) = [section for section in config.nav or [] if "Explanation" in section]
    explanation["Explanation"].append({"Decisions": ["adr/README.md", *decisions]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in _AT_THE_ROOT.items():
        files.append(File.generated(config, page, content=(_ROOT / name).read_text()))
    files.append(File.generated(config, "platforms.md", content=platform_limits()))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Turn links between files of the repository into links between pages."""
    if page.file.src_uri.startswith("adr/"):
        page.meta.setdefault("search", {"boost": _BOOST_OF_A_DECISION})
    written = {site: name for name, site in _AT_THE_ROOT.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def linked(link: re.Match[str]) -> str:
        target = normpath(f"{written.rpartition('/')[0] or '.'}/{link[1]}")
        page_uri = _AT_THE_ROOT.get(target, target.removeprefix("docs/"))
        return f"]({relpath(page_uri, page.file.src_uri.rpartition('/')[0] or '.')}"

    return _LINK.sub(linked, markdown)


def on_page_content(html: str, **_: object) -> str:
    """Make an empty head of a column a cell: a screen reader announces heads."""
    return html.replace("<th></th>", "<td></td>")


def on_post_page(output: str, **_: object) -> str:
    """Name the theme's dialog for screen readers."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Make the theme's search ignore words such as "a" and "my"."""
    (search,) = Path(config.site_dir, "assets/javascripts/workers").glob("search.*.min.js")
    search.write_text(f"{(_ROOT / 'docs/site/search.js').read_text()}{search.read_text()}")
