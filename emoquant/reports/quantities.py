"""How the measures of ``results.csv`` are named, scaled and rounded in figures and tables."""

import math
from typing import NamedTuple

from emoquant.storage.results import Row

#: What a table shows where a figure is undefined.
UNDEFINED = "\N{EN DASH}"


class Quantity(NamedTuple):
    """How one measure is shown.

    Attributes:
        label: Name on an axis, without unit.
        unit: Unit on an axis and in captions; empty for a number without unit.
        scale: Factor from the row's value to the shown one (100 for percentages).
        decimals: Digits after the point in tables.
        limits: Shown range of an axis; None where the data decide.
        centred: The measure has a meaningful zero between its ends, so colours diverge from there.
        meaning: What it is, for captions; empty where the name says it.
        ceiling: Metric that is the most that it can be; empty without one.
    """

    label: str
    unit: str = ""
    scale: float = 1.0
    decimals: int = 3
    limits: tuple[float, float] | None = None
    centred: bool = False
    meaning: str = ""
    ceiling: str = ""

    @property
    def axis(self) -> str:
        """Text of an axis: label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def explained(self) -> str:
        """Text for captions: label, unit and what it is."""
        about = "; ".join(part for part in (self.unit, self.meaning) if part)
        return f"{self.label} ({about})" if about else self.label

    def text(self, value: float) -> str:
        """Return a row's value as a table shows it, an en dash where it is undefined.

        Args:
            value: Value of a row, before scaling.

        Example:
            >>> quantity("recall").text(0.97), quantity("distortion").text(float("nan"))
            ('97.0', '\u2013')
        """
        if math.isnan(value):
            return UNDEFINED
        shown = f"{value * self.scale:.{self.decimals}f}"
        return shown.lstrip("-") if float(shown) == 0 else shown

    def figure(self, value: float, low: float, high: float, form: str = "%s [%s, %s]") -> str:
        """Return a row's value with its interval as a table shows it; the value alone where there is no interval.

        Args:
            value: Value of a row, before scaling.
            low: Lower end of its interval; NaN where there is none.
            high: Upper end.
            form: How the three are written.

        Example:
            >>> quantity("recall").figure(0.5, 0.25, 0.75), quantity("recall").figure(0.5, math.nan, math.nan)
            ('50.0 [25.0, 75.0]', '50.0')
        """
        if math.isnan(value) or math.isnan(low):
            return self.text(value)
        return form % (self.text(value), self.text(low), self.text(high))


def _share(label: str, meaning: str = "", limits: tuple[float, float] | None = (0.0, 100.0)) -> Quantity:
    return Quantity(label, "%", 100.0, 1, limits, meaning=meaning)


def _cosine(label: str, meaning: str = "", centred: bool = True) -> Quantity:
    return Quantity(label, "cosine", centred=centred, meaning=meaning)


def _within(label: str, low: float, high: float, meaning: str = "") -> Quantity:
    return Quantity(label, limits=(low, high), meaning=meaning)


_SHRUNK = "minus that of a move straight to the training mean, until equally near to it"
_RANDOM = "the drift minus that of a displacement of equal length in a random direction"
_PREFERENCE = "gain in similarity to neutral minus the mean gain to emotions that are neither neutral nor their own"
_LABEL = "mutual information of emotion and decision"
_TURN = "change of the angle to the centroid, negative: drawn there"
_QUANTITIES = {
    "recall": _share("Recall"),
    "uar": _share("Unweighted average recall"),
    "accuracy": _share("Accuracy"),
    "precision": _share("Precision"),
    "f1": _within("F1", 0.0, 1.0),
    "agreement": _share("Agreement", "of the decision with that before quantization"),
    "kl": Quantity("Divergence of the decision", "bits", meaning="of the class probabilities, before from after"),
    "confidence": _within("Confidence", 0.0, 1.0, "mean of the largest class probability"),
    "margin": _within("Margin", 0.0, 1.0, "lead of the largest class probability over the second"),
    "probability": _within("Probability", 0.0, 1.0),
    "label_information": Quantity(
        "Information about the label", "bits", decimals=2, meaning=_LABEL, ceiling="label_entropy"
    ),
    "ccc": _within("Concordance with the annotators", -1.0, 1.0, "Lin's coefficient"),
    "ccc_before": _within("Concordance with the rating before quantization", -1.0, 1.0, "Lin's coefficient"),
    "label_entropy": Quantity("Entropy of the labels", "bits", decimals=2),
    "utterance_similarity": _cosine("Utterance similarity", "of the time means before and after coding", False),
    "excess_similarity": _cosine("Similarity beyond shrinking", _SHRUNK),
    "frame_similarity": _cosine("Frame similarity", "mean over frames before and after coding", False),
    "bits_per_frame": Quantity("Rate", "bits/frame", decimals=1),
    "coded_bits_per_frame": Quantity("Coded rate", "bits/frame", decimals=1),
    "bits_per_second": Quantity("Bit rate", "bits/s", decimals=1),
    "file_bits_per_second": Quantity("Bit rate of the files", "bits/s", decimals=0),
    "entropy_coded_bits_per_second": Quantity("Entropy-coded bit rate", "bits/s", decimals=0),
    "decision_bits_per_second": Quantity("Bit rate of the decision alone", "bits/s", decimals=2),
    "presence_accuracy": _share("Presence accuracy"),
    "salience_accuracy": _share("Salience accuracy"),
    "token_entropy": Quantity("Entropy of the codes", "bits/frame", decimals=1),
    "skip_rate": _share("Skipped codes"),
    "distortion": Quantity("Distortion", "squared error/frame", decimals=2),
    "codebook_perplexity": Quantity("Codebook perplexity", "codes", decimals=1),
    "codebook_usage": _share("Codewords in use"),
    "distinct_outputs": Quantity("Distinct outputs", "utterances", decimals=0, meaning="how many differ after coding"),
    "drift_to_neutral": _cosine("Drift to neutral"),
    "drift_to_mean": _cosine("Drift to the training mean"),
    "drift_to_skip": _cosine("Drift to the all-SKIP vector"),
    "null_drift_to_neutral": _cosine("Drift to neutral of a random move"),
    "excess_drift_to_neutral": _cosine("Drift to neutral beyond a random move", _RANDOM),
    "preference_for_neutral": _cosine("Preference for neutral", _PREFERENCE),
    "excess_preference_for_neutral": _cosine("Preference for neutral beyond shrinking", _SHRUNK),
    "distance_to_neutral": _share("Distance left to neutral", limits=None),
    "distance_to_mean": _share("Distance left to the training mean", limits=None),
    "distance_to_skip": _share("Distance left to the all-SKIP vector", limits=None),
    "attraction": Quantity("Attraction", "degrees", decimals=1, centred=True, meaning=_TURN),
    "similarity_to": _cosine("Similarity", centred=False),
    "predicted": _share("Predicted"),
    "probe": _share("Probe", "average recall of a linear probe on time means"),
    "code_probe": _share("Probe of codes", "average recall of a linear probe on code histograms"),
    "equal_error_rate": _share("Equal error rate of speakers", limits=(0.0, 50.0)),
    "character_error_rate": _share("Character error rate"),
    "f0_correlation": _within("Correlation of F0", 0.0, 1.0, "of log F0 with the recording's"),
    "quality": _within("Predicted quality", 1.0, 5.0, "overall quality that DNSMOS predicts"),
    "triplet_accuracy": _share("Triplet accuracy", "same emotion nearer than another one; chance 50 %"),
    "relative_lambda": Quantity("Relative λ", "1/bit", meaning="λ over the variance of the features a dimension"),
    "target_bits_per_frame": Quantity("Wanted rate", "bits/frame", decimals=1),
    "js_divergence": Quantity("Divergence from the votes", "bits", limits=(0.0, 1.0)),
    "top2_accuracy": _share("Top-2 set accuracy"),
    "vote_cross_entropy": Quantity("Cross-entropy of the votes", "bits"),
    "vote_entropy": Quantity("Entropy of the votes", "bits"),
}

#: Metrics whose pooled figure over all emotions stands under another name.
_OVERALL = {"recall": ("uar", "UAR"), "f1": ("f1", "macro-F1")}


def quantity(metric: str) -> Quantity:
    """Return how a metric is shown; a metric that is not known is shown under its own name, unscaled.

    Args:
        metric: Name in ``results.csv``; what follows an @ names the space that it is measured in, what follows a slash
            the class it refers to.

    Example:
        >>> quantity("similarity_to/happy").axis, quantity("my_measure").axis
        ('Similarity to happy (cosine)', 'My measure')
    """
    stem, _, target = metric.partition("/")
    stem, _, space = stem.partition("@")
    known = _QUANTITIES.get(stem) or Quantity(stem.replace("_", " ").capitalize())
    if space:
        known = known._replace(label=f"{known.label} in the space {space}")
    if not target:
        return known
    links = {"similarity_to": "to", "attraction": "to", "predicted": "as", "triplet_accuracy": "by"}
    link = links.get(stem, "of")
    return known._replace(label=f"{known.label} {link} {target}")


def row_text(row: Row, by_speaker: bool = False) -> str:
    """Return the figure of a row with its interval.

    Args:
        row: The row.
        by_speaker: Take the interval that is clustered by speaker, where the row has one.
    """
    ends = (row.speaker_low, row.speaker_high) if by_speaker and row.speakers else (row.low, row.high)
    return quantity(row.metric).figure(row.value, *ends)


def overall(metric: str) -> tuple[str, str]:
    """Return the metric that pools all emotions for this one, and the heading of its column.

    Args:
        metric: Name in ``results.csv``.

    Example:
        >>> overall("recall"), overall("utterance_similarity")
        (('uar', 'UAR'), ('utterance_similarity', 'all'))
    """
    return _OVERALL.get(metric, (metric, "all"))


def axis_name(x: str) -> str:
    """Return how an axis is named in file names."""
    return {"lmbda": "lambda", "bits_per_frame": "rate", "bits_per_second": "bit_rate"}.get(x, x)


def point_text(point: float) -> str:
    """Return an operating point as it is written in tables.

    Args:
        point: Lambda, similarity target, or NaN for features that were not quantized.

    Example:
        >>> point_text(0.0001), point_text(20000.0), point_text(float("nan"))
        ('0.0001', '20000', 'none')
    """
    if math.isnan(point):
        return "none"
    if point == round(point) and abs(point) < 1e6:
        return f"{point:.0f}"
    return f"{point:.4g}" if 1e-4 <= abs(point) < 1e5 or point == 0 else f"{point:.0e}"
