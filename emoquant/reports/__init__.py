"""Reports: rows of ``results.csv`` in, figures, tables and pages out; no torch, no second computation."""

from emoquant.reports.base import Artifact, Drawing, Report
from emoquant.reports.confusion import ConfusionMatrices
from emoquant.reports.curves import RateCurves, SweepCurves
from emoquant.reports.defaults import default_reports
from emoquant.reports.drift import DriftCurves
from emoquant.reports.pages import StudyPage
from emoquant.reports.rates import CodebookUsage, RDCurve
from emoquant.reports.redraw import build_report, configured_reports
from emoquant.reports.rows import MissingRowsError
from emoquant.reports.tables import CrossMatrix, EmotionTable

__all__ = [
    "Artifact",
    "CodebookUsage",
    "ConfusionMatrices",
    "CrossMatrix",
    "Drawing",
    "DriftCurves",
    "EmotionTable",
    "MissingRowsError",
    "RDCurve",
    "RateCurves",
    "Report",
    "StudyPage",
    "SweepCurves",
    "build_report",
    "configured_reports",
    "default_reports",
]
