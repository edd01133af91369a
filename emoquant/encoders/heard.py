"""What public encoders have heard of public corpora: figures on such a corpus are not those of new data.

Facts are those of the model cards and papers; where a card names only a collection, every corpus of it counts.
"""

from collections.abc import Sequence
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

#: Speakers of the development data by the names in its table: those that emotion2vec-tiny was trained on, and others.
_TINY_SPEAKERS = {
    "emodb": ("emo03 emo08 emo11 emo12 emo14 emo15", "emo09 emo16"),
    "kemo": (
        "kemo_ema kemo_emg kemo_nea kemo_neb kemo_ned kemo_nee kemo_nek kemo_nel kemo_nem", "kemo_emh kemo_nen",
    ),
    "nemo": ("nemoEB0 nemoKD0 nemoMP0 nemoSM0 nemoTP0 nemoWR0", "nemoIC0"),
    "ravdess": (
        "rav03 rav05 rav06 rav07 rav08 rav09 rav10 rav12 rav15 rav16 rav17 rav20 rav21 rav23",
        "rav02 rav13 rav14 rav22",
    ),
}  # fmt: skip
#: What is known of single speakers, by the last part of a model's name and by corpus.
KNOWN_SPEAKERS = {"emotion2vec-tiny": _TINY_SPEAKERS}


def heard_speakers(model: str, corpus: str, speakers: Sequence[str]) -> list[bool] | None:
    """Return of each speaker whether an encoder was trained on them; None where that is not known of all.

    Args:
        model: Name on a hub, folder, or name of an origin.
        corpus: Name of a corpus.
        speakers: Names of speakers; what precedes a slash does not count.

    Example:
        >>> heard_speakers("checkpoints/emotion2vec-tiny", "nemo", ["nemoEB0", "nemo/nemoIC0"])
        [True, False]
        >>> heard_speakers("checkpoints/emotion2vec-tiny", "nemo", ["ann"])
    """
    heard, others = (
        set(text.split()) for text in KNOWN_SPEAKERS.get(_short(model), {}).get(corpus.strip().lower(), ("", ""))
    )
    names = [name.rpartition("/")[2] for name in speakers]
    return [name in heard for name in names] if names and {*names} <= heard | others else None


def _short(model: str) -> str:
    """Return the last part of a model's name, without its layer."""
    return model.partition("@")[0].partition(", layer")[0].rstrip("/").rpartition("/")[2]


def how_heard(model: str, corpus: str) -> How | None:
    """Return how an encoder knows a corpus; None where it does not, or where nothing is known of it.

    Args:
        model: Name on a hub, folder, or name of an origin; a layer behind an ``@`` does not matter.
        corpus: Name of a corpus, or of several joined by ``+``; the one that matters most counts.

    Example:
        >>> how_heard("iic/emotion2vec_plus_base", "esd"), how_heard("microsoft/wavlm-large", "esd")
        ('pseudo_labels', None)
    """
    known = KNOWN.get(_short(model))
    names = {name.strip().lower() for name in corpus.split("+")}
    if known is None:
        return None
    kinds: tuple[How, ...] = ("labels", "pseudo_labels", "audio")
    return next((how for how in kinds if names & set(getattr(known, how))), None)
