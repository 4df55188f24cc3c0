"""What MkDocs does beside the pages of docs/: pages made from the code, and pages of the rest of the repository."""

from __future__ import annotations

import re

import command_page
import field_page
import python_page
import repository
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

START = "README.md"

SEARCH = {"train/LOG.md": {"exclude": True}, "CHANGELOG.md": {"boost": 0.3}}
"""How high pages stand in a search. Most words are in the logs, which few look for."""


def made() -> dict[str, str]:
    """The pages that are made from the code, by their place in the site."""
    return {
        "reference/commands.md": command_page.markdown(),
        "reference/python.md": python_page.markdown(),
        "reference/errors.md": python_page.errors_markdown(),
        "reference/model-file.md": python_page.model_file_markdown(),
        "reference/summary.md": _beside(field_page.markdown("summary", "summary.json")),
        "reference/readings.md": _beside(field_page.markdown("readings", "readings.csv")),
    }


def _beside(text: str) -> str:
    """A page of a schema, whose links are those of a page in docs/."""
    return repository.LINK.sub(lambda link: link[0] if link[0].startswith("#") else f"../{link[0]}", text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    for path in (START, *repository.linked([START, *pages])):
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, abs_src_path=str(repository.ROOT / path)))
    for uri, text in made().items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where their files stand in the site."""
    page.meta["search"] = SEARCH.get(page.file.src_uri, {})
    return repository.in_site(markdown, page.file.src_uri)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """An empty heading of a table is none, for whoever hears the page."""
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Name the theme's dialog for whoever hears the page."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')
