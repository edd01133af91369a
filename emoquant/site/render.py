"""Templates filled in: what users wrote is escaped, links are relative."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import emoquant
from emoquant.reports.pages import Section, report_content
from emoquant.reports.templating import environment
from emoquant.storage.documents import read_yaml
from emoquant.storage.files import write_whole

#: Texts of the pages.
WORDS: dict[str, Any] = read_yaml(Path(__file__).parent / "words.yaml")


class Template:
    """Writes pages of one site.

    Args:
        folder: Folder of the site.
        title: Name of the site.
        pages: Label of every page by its name, in the order of the navigation.
    """

    def __init__(self, folder: Path, title: str, pages: Mapping[str, str]) -> None:
        self.folder, self.title, self.pages = folder, title, pages
        self._environment = environment("emoquant.site", "emoquant.reports")

    def write(self, page: str, template: str = "", **content: Any) -> None:  # noqa: ANN401 (what a template shows)
        """Write a page.

        Args:
            page: Its name.
            template: The template's name; that of the page by default.
            content: What the template shows.
        """
        filled = self._environment.get_template(f"{template or page}.html").render(
            page=page,
            title=self.title,
            pages=self.pages,
            words=WORDS,
            foot=f"Made by emoquant {emoquant.__version__}.",
            **content,
        )
        write_whole(self.folder / f"{page}.html", filled.encode("utf-8"))


def report_beside(folder: Path, sections: Sequence[Section]) -> dict[str, Any]:
    """Return what the report shows, its figures written beside it once each.

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

    return report_content(sections, link)
