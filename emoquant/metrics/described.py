"""Rows of ``results.csv`` that describe codecs: training emotions, weights of mixtures, bits of a decision."""

import math
from collections.abc import Iterable

from emoquant.codecs.base import Codec
from emoquant.codecs.compose import Mixture
from emoquant.storage.results import Row


def codec_rows(codecs: Iterable[Codec], corpus: str) -> list[Row]:
    """Return rows that describe codecs, so that reports need not derive it from their names.

    - ``trained_on``, one row an emotion: its share of the codec's training, in [0, 1];
    - ``partner_share/<rule>``: the weight of the second reference in a :class:`Mixture` of two, in [0, 1].

    Args:
        codecs: The codecs.
        corpus: Name of the corpus in the rows.
    """
    rows: list[Row] = []
    for codec in codecs:
        for emotion, share in codec.trained_on.items():
            rows.append(Row.known(corpus, codec.name, "trained_on", share, emotion=emotion))
        if isinstance(codec, Mixture) and len(codec.weights) == 2:
            rows.append(Row.known(corpus, codec.name, f"partner_share/{codec.rule}", float(codec.weights[1])))
    return rows


def decision_row(corpus: str, classes: int, utterances: int, seconds: float) -> Row:
    """Return the row ``decision_bits_per_second``: the rate of sending only the classifier's decision.

    Args:
        corpus: Name of the corpus.
        classes: Classes of the classifier; a decision takes ``log2`` of them in bits.
        utterances: Utterances of the split.
        seconds: Their length together.
    """
    value = utterances * math.log2(classes) / seconds
    return Row.known(corpus, "none", "decision_bits_per_second", value, n=utterances)
