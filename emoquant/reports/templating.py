"""HTML from templates: what users wrote is escaped."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def environment(*packages: str) -> Environment:
    """Return an environment of the templates of packages, the first one's before the next one's.

    Args:
        packages: Packages with a folder ``templates``.
    """
    loader = ChoiceLoader([PackageLoader(package) for package in packages])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
