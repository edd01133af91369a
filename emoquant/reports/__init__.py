"""Reports: rows of ``results.csv`` in, figures, tables and pages out; no torch, no second computation."""

from emoquant.reports.base import Artifact, Drawing, Report
from emoquant.reports.bitrate import BitrateCurves
from emoquant.reports.codebooks import CrossMatrix, SimilarityPanel
from emoquant.reports.comparison import AgreementCurves, GreedyComparison, StrataCurves
from emoquant.reports.confusion import ConfusionMatrices
from emoquant.reports.curves import RateCurves, SweepCurves
from emoquant.reports.defaults import default_reports
from emoquant.reports.drift import CentroidCurves, DriftCurves
from emoquant.reports.flow import FlowFigure
from emoquant.reports.layers import LayerMap
from emoquant.reports.methods import MethodTable
from emoquant.reports.pages import StudyPage
from emoquant.reports.rates import CodebookUsage, RDCurve
from emoquant.reports.redraw import build_report, configured_reports
from emoquant.reports.rows import MissingRowsError
from emoquant.reports.tables import EmotionTable

__all__ = [
    "AgreementCurves",
    "Artifact",
    "BitrateCurves",
    "CentroidCurves",
    "CodebookUsage",
    "ConfusionMatrices",
    "CrossMatrix",
    "Drawing",
    "DriftCurves",
    "EmotionTable",
    "FlowFigure",
    "GreedyComparison",
    "LayerMap",
    "MethodTable",
    "MissingRowsError",
    "RDCurve",
    "RateCurves",
    "Report",
    "SimilarityPanel",
    "StrataCurves",
    "StudyPage",
    "SweepCurves",
    "build_report",
    "configured_reports",
    "default_reports",
]
