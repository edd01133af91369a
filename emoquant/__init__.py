"""How discrete codes carry emotion in speech.

Example:
    Compress the frame features of an utterance at a Lagrange multiplier of 5 and get them back::

        codec = emoquant.load_codec("runs/codec")
        data = codec.compress(features, lmbda=5.0)
        features = codec.decompress(data)
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Name -> module, and name in it where that is another. Imported on first use, so that `import emoquant` costs nothing
# (torch alone takes seconds).
_PUBLIC = {
    "BitstreamError": "emoquant.codecs",
    "load_codec": "emoquant.codecs",
    "measure": "emoquant.commands.measure",
    "load_synthesizer": "emoquant.voice.tts.synthesis",
    "Emotion2Vec": "emoquant.encoders",
    "read_results": "emoquant.storage.frames:results_frame",
    "Row": "emoquant.storage.results",
}

__all__ = ["BitstreamError", "Emotion2Vec", "Row", "load_codec", "load_synthesizer", "measure", "read_results"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the public names are of many types
    if name not in _PUBLIC:
        raise AttributeError(f"module 'emoquant' has no attribute {name!r}")
    module, _, renamed = _PUBLIC[name].partition(":")
    return getattr(import_module(module), renamed or name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
