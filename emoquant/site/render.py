"""Templates filled in: what users wrote is escaped, links are relative."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import emoquant
from emoquant.reports.findings_table import findings_html, found_in
from emoquant.reports.pages import Section, page_parts, warnings_html
from emoquant.storage.files import write_whole


class Template:
    """Writes pages of one site.

    Args:
        folder: Folder of the site.
        title: Name of the site.
        pages: Name and label of every page, in the order of the navigation.
    """

    def __init__(self, folder: Path, title: str, pages: Sequence[tuple[str, str]]) -> None:
        self.folder, self.title, self.pages = folder, title, pages
        loader = PackageLoader("emoquant.site")
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
        )

    def write(self, page: str, template: str, **content: Any) -> None:  # noqa: ANN401 (what a template shows)
        """Write a page.

        Args:
            page: Its name.
            template: The template's name.
            content: What the template shows.
        """
        filled = self._environment.get_template(f"{template}.html").render(
            page=page, title=self.title, pages=self.pages, foot=f"Made by emoquant {emoquant.__version__}.", **content
        )
        write_whole(self.folder / f"{page}.html", filled.encode("utf-8"))


def report_parts(folder: Path, sections: Sequence[Section]) -> tuple[Markup, Markup]:
    """Return contents and body of the report, its figures written beside it once each.

    Args:
        folder: Folder of the site.
        sections: The study's runs.

    Raises:
        MissingRowsError: No section has a figure or table.
    """
    (folder / "figures").mkdir()

    def link(image: Path) -> str:
        content = image.read_bytes()
        name = f"figures/{image.stem}-{hashlib.sha256(content).hexdigest()[:12]}{image.suffix}"
        write_whole(folder / name, content)
        return name

    contents, body = page_parts(sections, link)
    found = found_in([(section.title, section.rows) for section in sections])
    body = warnings_html(sections) + findings_html(found) + body
    return Markup(contents), Markup(body)  # the report's own HTML, escaped where it was made
