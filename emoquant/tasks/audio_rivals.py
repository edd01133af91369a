"""Audio codecs in an evaluation of codecs of features."""

from collections.abc import Iterable, Sequence

from torch import nn

from emoquant.audio_codecs import AudioCodec, Recoded, evenly
from emoquant.interfaces.protocols import EmotionData


def recoded(codecs: Sequence[AudioCodec], data: EmotionData) -> list[Recoded]:
    """Return audio codecs as codecs of the features of a test split.

    Args:
        codecs: The audio codecs.
        data: The data module; its encoder makes features of what was decoded.

    Raises:
        FileNotFoundError: A codec has no weights or no files.
        ValueError: The data have no encoder.
    """
    if not codecs:
        return []
    if data.encoder is None:
        raise ValueError("audio_codecs need the encoder that the features come from, and the data have none")
    utterances = data.dataset("test").utterances
    return [Recoded(codec, data.encoder, utterances) for codec in codecs]


def learn_codes(codecs: Iterable[nn.Module], data: EmotionData, count: int) -> None:
    """Train entropy models on the codes that audio codecs make of utterances from all over the training split.

    Args:
        codecs: Codecs; those of features are passed over.
        data: The data module.
        count: Utterances; 0 for none.

    Raises:
        ValueError: There are not enough training utterances.
    """
    if not count:
        return
    chosen = evenly(data.dataset("train").utterances, count)
    for codec in codecs:
        if isinstance(codec, Recoded):
            codec.learn_codes(chosen)
