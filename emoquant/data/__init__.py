"""Corpora of emotional speech, the store of their frame features, and the data modules that batch them."""

from emoquant.data.base import Corpus, Utterance
from emoquant.data.cremad import CREMAD
from emoquant.data.datasets_folder import DatasetsFolder
from emoquant.data.emobox import EmoBox
from emoquant.data.emodb import EmoDB
from emoquant.data.esd import ESD
from emoquant.data.iemocap import IEMOCAP
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.meld import MELD
from emoquant.data.module import AudioDataModule, EmotionDataModule
from emoquant.data.rated import RatedCorpus
from emoquant.data.ravdess import RAVDESS
from emoquant.data.rendered import RenderedCorpus

__all__ = [
    "CREMAD",
    "ESD",
    "IEMOCAP",
    "MELD",
    "RAVDESS",
    "AudioDataModule",
    "Corpus",
    "DatasetsFolder",
    "EmoBox",
    "EmoDB",
    "EmotionDataModule",
    "ManifestCorpus",
    "RatedCorpus",
    "RenderedCorpus",
    "Utterance",
]
