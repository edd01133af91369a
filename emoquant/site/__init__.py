"""The study's website: listening pages, report and provenance in one static folder, of files alone."""

from emoquant.site.build import Sources, build_site

__all__ = ["Sources", "build_site"]
