"""Whether a classifier knows a corpus at all, and where quantization leaves anything to speak of."""

import math

from emoquant.reports.quantities import quantity
from emoquant.reports.rows import UNQUANTIZED, Results
from emoquant.storage.results import Row

#: Share of the utterances in one class from which a classifier is degenerate.
ONE_CLASS = 0.8
#: Least share of the utterances whose outputs differ, below which they are one output or a few.
DISTINCT = 0.1
#: Least share of the distance to the training mean, below which outputs are the mean.
SPREAD = 0.25

#: What to do about a classifier that does not know the corpus.
ADVICE = (
    "train a probe on its features (emoquant fit probe in the same folder) and name "
    "it as the classifier (docs/corpora.md)"
)


def classifier_doubt(results: Results) -> str:
    """Return why recognition says nothing on a corpus; empty where it does, or where nothing is known of it.

    A classifier is doubted whose UAR on the unquantized features has an interval that reaches chance, one over the
    number of emotions, or that takes more than 80 % of the utterances for one class.

    Args:
        results: Rows of one corpus.
    """
    uar = results.find("uar", UNQUANTIZED, math.nan)
    emotions = results.emotions("recall")
    if uar is None or not emotions:
        return ""
    found = []
    chance = 1 / len(emotions)
    if not (uar.value if math.isnan(uar.low) else uar.low) > chance:
        found.append(f"its UAR before quantization is {_share(uar)}, chance is {100 * chance:.1f} %")
    taken, share = most_predicted(results, UNQUANTIZED, math.nan)
    if share > ONE_CLASS:
        found.append(f"before quantization it takes {100 * share:.0f} % of the utterances for {taken}")
    name = f" {results.classifier}" if results.classifier else ""
    return f"The classifier{name} does not know this corpus: {'; '.join(found)}." if found else ""


#: What captions say of an encoder that knows the corpus, by how it does (:data:`emoquant.encoders.heard.How`).
HEARD = {
    "labels": "The encoder was trained with the labels of this corpus: its figures are not those of new data.",
    "pseudo_labels": "The encoder learned from labels that a model trained on this corpus gave.",
    "audio": "The encoder was trained on the audio of this corpus, without its labels.",
}


def heard_note(results: Results) -> str:
    """Return what the reader must know of an encoder that was trained on the corpus; empty where it was not."""
    return " ".join(HEARD[how] for how in results.targets("heard_corpus") if how in HEARD)


def most_predicted(results: Results, codec: str, point: float) -> tuple[str, float]:
    """Return the class that most utterances are taken for, and their share; an empty name where nothing is known."""
    shares = {}
    for name in results.targets("predicted"):
        row = results.find(f"predicted/{name}", codec, point)
        if row is not None:
            shares[name] = row.value
    name = max(shares, key=lambda each: shares[each], default="")
    return name, shares.get(name, 0.0)


def collapse(results: Results, codec: str, point: float, recognised: bool = True) -> str:
    """Return why nothing is left that a constant or a random output would not give; empty where something is.

    Args:
        results: Rows of one corpus.
        codec: Codec.
        point: Its operating point.
        recognised: Whether a UAR at chance counts, too.

    Raises:
        MissingRowsError: The rows do not say how many outputs differ, or what is recognised.
    """
    outputs = results.row("distinct_outputs", codec, point)
    if outputs.value < DISTINCT * outputs.n:
        return f"{outputs.value:.0f} distinct outputs of {outputs.n} utterances are left"
    left = results.find("distance_to_mean", codec, point)
    if left is not None and left.value < SPREAD:
        return f"{100 * left.value:.1f} % of the distance to the training mean is left"
    if not recognised:
        return ""
    uar, chance = results.row("uar", codec, point), 1 / len(results.emotions("recall"))
    return "" if uar.low > chance else f"UAR is {_share(uar)}, chance is {100 * chance:.1f} %"


def _share(row: Row) -> str:
    measure = quantity(row.metric)
    ends = "" if math.isnan(row.low) else f" [{measure.text(row.low)}, {measure.text(row.high)}]"
    return f"{measure.text(row.value)} %{ends}"
