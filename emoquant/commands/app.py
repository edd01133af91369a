"""The command ``app``: a local page to try codecs and a voice on one's own speech."""

import warnings

from emoquant.app.atlas import atlas_of
from emoquant.app.page import Page
from emoquant.app.workbench import Workbench
from emoquant.codecs.base import Codec
from emoquant.data.base import Corpus
from emoquant.data.module import EmotionDataModule
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.origin import require_origin
from emoquant.trimming import TRIM
from emoquant.tts.synthesis import load_synthesizer
from emoquant.tts.vocoders.base import Vocoder


def app(
    corpora: Corpus | list[Corpus],
    encoder: FrameEncoder,
    codecs: list[Codec],
    voice: str | None = None,
    vocoder: Vocoder | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    cache_dir: str = ".cache/emoquant",
    wait: bool = True,
    classifier: EmotionHead | None = None,
    trim: float | None = TRIM,
) -> str:
    """Serve a page where one records speech, moves lambda and codebook, and hears the synthesis.

    Args:
        corpora: Corpus whose training split gives the map of emotions.
        encoder: Encoder of recordings, the one that codecs and voice were trained with.
        codecs: Codecs to choose from, with their lambdas.
        voice: Folder or checkpoint of a voice; without one, nothing is spoken.
        vocoder: The vocoder; one without weights by default.
        host: Network interface; this machine alone by default.
        port: Port; a free one from 7860 on by default.
        cache_dir: Folder of the feature store.
        wait: Whether to serve until it is stopped.
        classifier: Hears emotions in vectors of the encoder; the encoder's own head by default. Without either the page
            does not say how a recording is heard.
        trim: How many dB below its loudest 20 ms a recording is cut at both ends; null leaves it whole.

    Returns:
        Address of the page.

    Raises:
        ImportError: Gradio is not installed.
        ValueError: Codecs, voice, classifier and encoder do not fit each other.
    """
    if classifier is not None:
        require_origin("the classifier", classifier.origin, encoder.identify())
    synthesizer = load_synthesizer(voice, encoder, vocoder) if voice is not None else None
    atlas = atlas_of(EmotionDataModule(corpora, encoder, cache_dir=cache_dir))
    head = classifier if classifier is not None else _own_head(encoder)
    return Page(Workbench(encoder, codecs, atlas, head, synthesizer, trim)).launch(host, port, wait)


def _own_head(encoder: FrameEncoder) -> EmotionHead | None:
    """Return the encoder's head; None, with a warning, where it has none."""
    try:
        return encoder.head()
    except ValueError as error:
        warnings.warn(f"the page goes without recognition: {error}", stacklevel=2)
        return None
