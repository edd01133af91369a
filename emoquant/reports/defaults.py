"""The reports of a run that lists none: everything that its rows allow."""

from collections.abc import Sequence

from emoquant.labels import STUDY_EMOTIONS
from emoquant.reports.base import Report
from emoquant.reports.bitrate import RATE
from emoquant.reports.comparison import StrataCurves
from emoquant.reports.confusion import ConfusionMatrices
from emoquant.reports.curves import SweepCurves
from emoquant.reports.drift import CentroidCurves, DriftCurves
from emoquant.reports.flow import FlowFigure
from emoquant.reports.pages import StudyPage
from emoquant.reports.rates import CodebookUsage, RDCurve
from emoquant.reports.rows import Results
from emoquant.reports.tables import EmotionTable
from emoquant.storage.results import Row


def default_reports(rows: Sequence[Row]) -> list[Report]:
    """Return the lambda sweep's reports, those left out whose metrics the rows do not have, and a page of them.

    Args:
        rows: Rows of a results file.
    """
    results = Results(rows)
    metrics = set(results.metrics)
    predicted = {metric for metric in metrics if metric.startswith("predicted/")} or {"predicted/<class>"}
    recall, similarity = _published(results, "recall"), _published(results, "utterance_similarity")
    rate = RATE if RATE in metrics else "bits_per_frame"
    candidates: list[tuple[Report, set[str]]] = [
        (EmotionTable("recall", reference=recall), {"recall"}),
        (EmotionTable("utterance_similarity", reference=similarity), {"utterance_similarity"}),
        (EmotionTable("agreement"), {"agreement"}),
        (SweepCurves("recall", rate), {"recall", rate}),
        (SweepCurves("agreement", rate), {"agreement", rate}),
        (SweepCurves("utterance_similarity", rate), {"utterance_similarity", rate}),
        (SweepCurves("kl", rate), {"kl", rate}),
        (SweepCurves("label_information", rate), {"label_information", rate}),
        (SweepCurves("recall", reference=recall), {"recall"}),
        (SweepCurves("agreement"), {"agreement"}),
        (SweepCurves("kl"), {"kl"}),
        (SweepCurves("label_information"), {"label_information"}),
        (SweepCurves("utterance_similarity", reference=similarity), {"utterance_similarity"}),
        (SweepCurves("bits_per_frame"), {"bits_per_frame"}),
        (EmotionTable("precision"), {"precision"}),
        (DriftCurves(), {"drift_to_neutral", "drift_to_mean", "drift_to_skip"}),
        (DriftCurves(rate), {"drift_to_neutral", "drift_to_mean", "drift_to_skip", rate}),
        (CentroidCurves(), {m for m in metrics if m.startswith("similarity_to/")} or {"similarity_to/<emotion>"}),
        (SweepCurves("excess_drift_to_neutral"), {"excess_drift_to_neutral"}),
        (SweepCurves("preference_for_neutral"), {"preference_for_neutral"}),
        (SweepCurves("distinct_outputs"), {"distinct_outputs"}),
        (ConfusionMatrices(), predicted),
        (FlowFigure(), predicted),
        (RDCurve(), {"distortion", "bits_per_frame"}),
        *((_concordance(metric), {metric, "bits_per_frame"}) for metric in sorted(metrics) if metric.startswith("ccc")),
        (CodebookUsage(), {"codebook_perplexity", "codebook_usage", "skip_rate"}),
    ]
    reports = [report for report, needed in candidates if needed <= metrics]
    if any(stratum.startswith("speaker=") for stratum in results.strata("drift_to_neutral")):
        reports.append(StrataCurves())
    return [*reports, StudyPage()]


def _concordance(metric: str) -> RDCurve:
    return RDCurve(metric, name=metric.replace("/", "_"))


def _published(results: Results, metric: str) -> str | None:
    """Return the study's figures to show beside ours, where the corpus has all of its emotions."""
    shown = metric in results.metrics and set(STUDY_EMOTIONS) <= set(results.emotions(metric))
    return (
        {"recall": "esd_accuracy_vs_lambda", "utterance_similarity": "esd_similarity_vs_lambda"}[metric]
        if shown
        else None
    )
