"""How the measures of ``results.csv`` are named, scaled and rounded in figures and tables."""

import math
from typing import NamedTuple

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


def _share(label: str) -> Quantity:
    return Quantity(label, "%", 100.0, 1, (0.0, 100.0))


_QUANTITIES = {
    "recall": _share("Recall"),
    "uar": _share("Unweighted average recall"),
    "accuracy": _share("Accuracy"),
    "precision": _share("Precision"),
    "f1": Quantity("F1", limits=(0.0, 1.0)),
    "agreement": Quantity(
        "Agreement", "%", 100.0, 1, (0.0, 100.0), meaning="of the decision with that before quantization"
    ),
    "kl": Quantity("Divergence of the decision", "bits", meaning="of the class probabilities, before from after"),
    "confidence": Quantity("Confidence", limits=(0.0, 1.0), meaning="mean of the largest class probability"),
    "margin": Quantity("Margin", limits=(0.0, 1.0), meaning="lead of the largest class probability over the second"),
    "probability": Quantity("Probability", limits=(0.0, 1.0)),
    "label_information": Quantity(
        "Information about the label",
        "bits",
        decimals=2,
        meaning="mutual information of emotion and decision",
        ceiling="label_entropy",
    ),
    "ccc": Quantity("Concordance with the annotators", limits=(-1.0, 1.0), meaning="Lin's coefficient"),
    "ccc_before": Quantity(
        "Concordance with the rating before quantization", limits=(-1.0, 1.0), meaning="Lin's coefficient"
    ),
    "label_entropy": Quantity("Entropy of the labels", "bits", decimals=2),
    "utterance_similarity": Quantity(
        "Utterance similarity", "cosine", meaning="of the time means before and after coding"
    ),
    "excess_similarity": Quantity(
        "Similarity beyond shrinking",
        "cosine",
        centred=True,
        meaning="minus that of a move straight to the training mean, until equally near to it",
    ),
    "frame_similarity": Quantity("Frame similarity", "cosine", meaning="mean over frames before and after coding"),
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
    "drift_to_neutral": Quantity("Drift to neutral", "cosine", centred=True),
    "drift_to_mean": Quantity("Drift to the training mean", "cosine", centred=True),
    "drift_to_skip": Quantity("Drift to the all-SKIP vector", "cosine", centred=True),
    "null_drift_to_neutral": Quantity("Drift to neutral of a random move", "cosine", centred=True),
    "excess_drift_to_neutral": Quantity(
        "Drift to neutral beyond a random move",
        "cosine",
        centred=True,
        meaning="the drift minus that of a displacement of equal length in a random direction",
    ),
    "preference_for_neutral": Quantity(
        "Preference for neutral",
        "cosine",
        centred=True,
        meaning="gain in similarity to neutral minus the mean gain to emotions that are neither neutral nor their own",
    ),
    "excess_preference_for_neutral": Quantity(
        "Preference for neutral beyond shrinking",
        "cosine",
        centred=True,
        meaning="minus that of a move straight to the training mean, until equally near to it",
    ),
    "distance_to_neutral": Quantity("Distance left to neutral", "%", 100.0, 1),
    "distance_to_mean": Quantity("Distance left to the training mean", "%", 100.0, 1),
    "distance_to_skip": Quantity("Distance left to the all-SKIP vector", "%", 100.0, 1),
    "attraction": Quantity(
        "Attraction",
        "degrees",
        decimals=1,
        centred=True,
        meaning="change of the angle to the centroid, negative: drawn there",
    ),
    "similarity_to": Quantity("Similarity", "cosine"),
    "predicted": _share("Predicted"),
    "probe": Quantity("Probe", "%", 100.0, 1, (0.0, 100.0), meaning="average recall of a linear probe on time means"),
    "code_probe": Quantity(
        "Probe of codes", "%", 100.0, 1, (0.0, 100.0), meaning="average recall of a linear probe on code histograms"
    ),
    "equal_error_rate": Quantity("Equal error rate of speakers", "%", 100.0, 1, (0.0, 50.0)),
    "character_error_rate": _share("Character error rate"),
    "f0_correlation": Quantity("Correlation of F0", limits=(0.0, 1.0), meaning="of log F0 with the recording's"),
    "quality": Quantity("Predicted quality", limits=(1.0, 5.0), meaning="overall quality that DNSMOS predicts"),
    "triplet_accuracy": Quantity(
        "Triplet accuracy", "%", 100.0, 1, (0.0, 100.0), meaning="same emotion nearer than another one; chance 50 %"
    ),
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


def overall(metric: str) -> tuple[str, str]:
    """Return the metric that pools all emotions for this one, and the heading of its column.

    Args:
        metric: Name in ``results.csv``.

    Example:
        >>> overall("recall"), overall("utterance_similarity")
        (('uar', 'UAR'), ('utterance_similarity', 'all'))
    """
    return _OVERALL.get(metric, (metric, "all"))


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
