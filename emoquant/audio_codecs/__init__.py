"""Codecs of waveforms: speech in, speech out, at bits a second; and tokenizers, which only code."""

from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip
from emoquant.audio_codecs.code_entropy import CodeEntropy, evenly
from emoquant.audio_codecs.decoded_folder import DecodedFolder
from emoquant.audio_codecs.lyra import Lyra
from emoquant.audio_codecs.soundfiles import MP3, Opus
from emoquant.audio_codecs.tokenizers import TokenFolder, Tokenizer
from emoquant.audio_codecs.transformers_codec import TransformersCodec
from emoquant.audio_codecs.treatment import Recoded, read_clip

__all__ = [
    "MP3",
    "AudioCodec",
    "Clip",
    "CodeEntropy",
    "CodedClip",
    "DecodedFolder",
    "Lyra",
    "Opus",
    "Recoded",
    "TokenFolder",
    "Tokenizer",
    "TransformersCodec",
    "evenly",
    "read_clip",
]
