"""The command ``app``: a local page to try codecs and a voice on one's own speech."""

from pathlib import Path
from typing import Any

from emoquant.app.atlas import atlas_of
from emoquant.app.page import Page
from emoquant.app.workbench import Workbench
from emoquant.audio.trimming import TRIM
from emoquant.codecs.specs import Place, open_codecs
from emoquant.encoders.base import EmotionHead
from emoquant.encoders.heads import head_or_none
from emoquant.storage.origin import require_origin
from emoquant.storage.runs import LAST, RUNS, Begun, begun_in, newest
from emoquant.study.corpus import open_data
from emoquant.voice.tts.synthesis import load_synthesizer
from emoquant.voice.tts.vocoders.base import Vocoder

#: Lambdas of the slider.
POINTS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


def app(
    data: str | None = None,
    encoder: str | None = None,
    codecs: list[dict[str, Any]] | None = None,
    points: list[float] | None = None,
    voice: str | None = None,
    folder: Path = Path(RUNS),
    vocoder: Vocoder | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    wait: bool = True,
    classifier: EmotionHead | None = None,
    trim: float | None = TRIM,
) -> str:
    """Serve a page where one records speech, moves lambda and codebook, and hears the synthesis.

    Args:
        data: Corpus whose training split gives the map of emotions: a shipped name, a YAML or a CSV; what the folder
            was begun with by default.
        encoder: Encoder of recordings, the one that codecs and voice were trained with: a name, a folder or a YAML.
        codecs: Codecs to choose from, as an evaluation's YAML spells them; by default the folder's codec, or the
            shipped one.
        points: Lambdas of the slider, for codecs that name none.
        voice: Folder or checkpoint of a voice; without one, nothing is spoken.
        folder: Folder of runs that the codecs are named in.
        vocoder: The vocoder; one without weights by default.
        host: Network interface; this machine alone by default.
        port: Port; a free one from 7860 on by default.
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
    before = begun_in(folder) or Begun()
    module = open_data(Begun(data or before.data, encoder or before.encoder, before.emotions))
    if classifier is not None:
        require_origin("the classifier", classifier.origin, module.encoder.identify())
    synthesizer = load_synthesizer(voice, module.encoder, vocoder) if voice is not None else None
    atlas = atlas_of(module)
    opened = open_codecs(codecs or [_default_codec(folder)], module.emotions, Place(str(folder), points or POINTS))
    head = classifier if classifier is not None else head_or_none(module.encoder, module.emotions, folder)
    return Page(Workbench(module.encoder, opened, atlas, head, synthesizer, trim)).launch(host, port, wait)


def _default_codec(folder: Path) -> dict[str, str]:
    """Return the spec of the folder's codec, or of the shipped one where it has none yet."""
    return {"run": "codec"} if newest(folder / "codec", LAST) else {"run": "checkpoints/codec"}
