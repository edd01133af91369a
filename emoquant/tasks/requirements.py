"""What an evaluation asks of codecs and data before it measures."""

from collections.abc import Sequence

import numpy as np
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from emoquant.codecs.base import Codec
from emoquant.codecs.history import sources_of
from emoquant.interfaces.protocols import EmotionData
from emoquant.storage.origin import require_origin


def require_codecs(codecs: Sequence[Codec], data: EmotionData) -> None:
    """Check that codecs code the data's features; one that was trained on another corpus is warned of.

    Raises:
        ValueError: A codec has another dimension than the features, or was trained on another encoder.
    """
    for codec in codecs:
        if codec.dim not in (0, data.dim):
            raise ValueError(
                f"codec {codec.name!r} codes features of {codec.dim} dimensions, the data's have {data.dim}: "
                "it was trained on another encoder; choose the encoder it was trained on, or train a codec"
            )
    for name, source in sources_of(nn.ModuleList(codecs)):
        if source.history is not None and source.history.corpus != data.name:
            rank_zero_warn(f"codec {name!r} was trained on {source.history.corpus!r}, the data is {data.name!r}")
    for codec in codecs:
        require_origin(f"codec {codec.name!r}", codec.origin, data.origin)


def require_every_emotion(data: EmotionData) -> None:
    """Check that the test split has utterances of every emotion.

    Raises:
        ValueError: An emotion has none.
    """
    present = {int(emotion) for emotion in np.unique(data.dataset("test").emotions)}
    missing = [emotion for index, emotion in enumerate(data.emotions) if index not in present]
    if missing:
        raise ValueError(
            f"the test split of {data.name} has no utterance of {', '.join(missing)}: "
            "leave the emotion out of the data's `emotions` or split the corpus otherwise"
        )
