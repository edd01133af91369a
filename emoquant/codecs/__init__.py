"""Codecs of frame features, which are run at operating points such as lambdas."""

from emoquant.codecs.archive import Archive, read_archive, write_archive
from emoquant.codecs.base import STUDY_LAMBDAS, Codec
from emoquant.codecs.bitstream import BitstreamError
from emoquant.codecs.checkpoint import load_codec, save_codec
from emoquant.codecs.compose import Cascade, Mixture
from emoquant.codecs.ecvq import ECVQ
from emoquant.codecs.first_layers import FirstLayers
from emoquant.codecs.greedy import Greedy
from emoquant.codecs.identity import Identity
from emoquant.codecs.nearest import Nearest
from emoquant.codecs.pretrained import save_pretrained
from emoquant.codecs.transform.codec import TransformCodec
from emoquant.codecs.utterance import UtteranceVQ

__all__ = [
    "ECVQ",
    "STUDY_LAMBDAS",
    "Archive",
    "BitstreamError",
    "Cascade",
    "Codec",
    "FirstLayers",
    "Greedy",
    "Identity",
    "Mixture",
    "Nearest",
    "TransformCodec",
    "UtteranceVQ",
    "load_codec",
    "read_archive",
    "save_codec",
    "save_pretrained",
    "write_archive",
]
