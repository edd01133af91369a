"""What public encoders have heard of public corpora: figures on such a corpus are not those of new data.

Facts are those of the model cards and papers; where a card names only a collection, every corpus of it counts.
"""

from typing import Literal, NamedTuple

#: In which way an encoder knows a corpus, from what matters most to what matters least.
How = Literal["labels", "pseudo_labels", "audio"]


class Heard(NamedTuple):
    """What a model has been trained on.

    Attributes:
        labels: Corpora whose labels of emotion it was trained with.
        pseudo_labels: Corpora whose labels trained the model that labelled its training data.
        audio: Corpora whose audio it was trained with, without labels.
    """

    labels: tuple[str, ...] = ()
    pseudo_labels: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()


#: Corpora of EmoBox (Ma et al. 2024, https://github.com/emo-box/EmoBox), in the spelling of this project.
EMOBOX = (
    "aesdd", "ased", "asvpesd", "cafe", "casia", "cremad", "emns", "emodb", "emovdb", "emovo", "emozionalmente",
    "enterface", "esd", "iemocap", "jlcorpus", "m3ed", "mead", "meld", "mer2023", "mesd", "msp_podcast", "oreau",
    "pavoque", "polish", "ravdess", "resd", "savee", "shemo", "subesco", "tess", "turevdb", "urdu",
)  # fmt: skip
#: Unlabelled pretraining of emotion2vec (Ma et al. 2023, https://arxiv.org/abs/2312.15185), 262 hours.
_PRETRAINING = ("iemocap", "meld", "mead", "cmu_mosei", "msp_podcast")
_TINY = Heard(labels=("emodb", "kemo", "nemo", "ravdess", "rendered"))

#: What is known, by the last part of a model's name or folder.
KNOWN: dict[str, Heard] = {
    "emotion2vec_base": Heard(audio=_PRETRAINING),
    "emotion2vec_base_finetuned": Heard(pseudo_labels=EMOBOX, audio=_PRETRAINING),
    "emotion2vec_plus_seed": Heard(labels=EMOBOX, audio=_PRETRAINING),
    "emotion2vec_plus_base": Heard(pseudo_labels=EMOBOX, audio=_PRETRAINING),
    "emotion2vec_plus_large": Heard(pseudo_labels=EMOBOX, audio=_PRETRAINING),
    "emotion2vec-tiny": _TINY,
    "wav2vec2-large-robust-12-ft-emotion-msp-dim": Heard(labels=("msp_podcast",)),
    "wav2vec2-base-superb-er": Heard(labels=("iemocap",)),
    "wav2vec2-large-superb-er": Heard(labels=("iemocap",)),
    "hubert-base-superb-er": Heard(labels=("iemocap",)),
    "hubert-large-superb-er": Heard(labels=("iemocap",)),
    "emotion-recognition-wav2vec2-IEMOCAP": Heard(labels=("iemocap",)),
}


def how_heard(model: str, corpus: str) -> How | None:
    """Return how an encoder knows a corpus; None where it does not, or where nothing is known of it.

    Args:
        model: Name on a hub, folder, or name of an origin; a layer behind an ``@`` does not matter.
        corpus: Name of a corpus, or of several joined by ``+``; the one that matters most counts.

    Example:
        >>> how_heard("iic/emotion2vec_plus_base", "esd"), how_heard("microsoft/wavlm-large", "esd")
        ('pseudo_labels', None)
    """
    known = KNOWN.get(model.partition("@")[0].partition(", layer")[0].rstrip("/").rpartition("/")[2])
    names = {name.strip().lower() for name in corpus.split("+")}
    if known is None:
        return None
    kinds: tuple[How, ...] = ("labels", "pseudo_labels", "audio")
    return next((how for how in kinds if names & set(getattr(known, how))), None)
