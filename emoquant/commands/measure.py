"""The command ``measure``: the emotions of one's own recordings over time and over rate; nothing is trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emoquant.audio.containers import AUDIO_SUFFIXES
from emoquant.audio.loading import read_audio
from emoquant.audio.trimming import require_threshold, trimmed
from emoquant.audio_codecs import AudioCodec, Recoded
from emoquant.codecs import Codec, load_codec
from emoquant.commands.sources import find_files
from emoquant.console.progress import progress
from emoquant.encoders import Emotion2Vec, EmotionHead, FrameEncoder
from emoquant.metrics.timeline import Moment, moments
from emoquant.reports.timeline import Stretch, timeline_page
from emoquant.storage.csv_files import write_csv
from emoquant.storage.files import write_whole
from emoquant.storage.origin import require_origin
from emoquant.storage.runs import find_checkpoint
from emoquant.types import Coded

if TYPE_CHECKING:
    import pandas

#: Lambdas of a codec where none are asked for.
LAMBDAS = (1.0, 10.0, 50.0, 200.0)
#: The shipped encoder and the codec that was trained on its features.
ENCODER, CODEC = "checkpoints/emotion2vec-tiny", "checkpoints/codec"
TABLE, PAGE = "emotions.csv", "emotions.html"


def measure_folder(
    input: Path,
    output: Path = Path("measured"),
    encoder: FrameEncoder | None = None,
    codec: Path | None = None,
    lambdas: list[float] | None = None,
    audio_codec: AudioCodec | None = None,
    classifier: EmotionHead | None = None,
    seconds: float = 1.0,
    trim: float | None = None,
) -> Path:
    """Measure the emotions of recordings over time and over lambda: one table and one page; nothing is trained.

    Args:
        input: Folder of audio files, or one file. They need no labels.
        output: Folder of emotions.csv and emotions.html.
        encoder: The encoder: a name on a hub, a folder or a YAML; the shipped emotion2vec-tiny by default.
        codec: Codec of the encoder's features: a run, a folder or a file; the shipped one by default where the encoder
            is the shipped one, else none.
        lambdas: Lagrange multipliers.
        audio_codec: A codec of audio instead, at all of its rates.
        classifier: Classifier of the encoder's features, such as a probe; the encoder's own head by default.
        seconds: Length of the stretches that are classified one by one.
        trim: How many dB below its loudest 20 ms audio is cut at both ends, such as 30; nothing is cut by default.

    Returns:
        The page.

    Raises:
        FileNotFoundError: There is no audio, no encoder or no codec.
        ValueError: A file cannot be read, codec and encoder do not fit, or an argument is out of range.
    """
    paths = [path for path, _ in find_files(input, AUDIO_SUFFIXES)]
    chosen = audio_codec if audio_codec is not None else codec
    found = list(_measured(paths, chosen, lambdas, encoder, classifier, seconds, trim))
    output.mkdir(parents=True, exist_ok=True)
    root = input if input.is_dir() else input.parent
    rows = [_cells(str(path.relative_to(root)), moment) for path, moment in found]
    write_csv(output / TABLE, list(rows[0]), (row.values() for row in rows), digits=6)
    unit = "bits a second" if audio_codec is not None else "λ"
    shown = [Stretch(str(path.relative_to(root)), *moment) for path, moment in found]
    write_whole(output / PAGE, timeline_page(shown, unit).encode("utf-8"))
    print(output / PAGE)
    return output / PAGE


def measure(
    paths: str | Path | Sequence[str | Path],
    codec: str | Path | Codec | AudioCodec | None = None,
    lambdas: Sequence[float] | None = None,
    encoder: str | FrameEncoder | None = None,
    classifier: EmotionHead | None = None,
    seconds: float = 1.0,
    trim: float | None = None,
) -> "pandas.DataFrame":
    """Return the emotions of recordings over time and over lambda as a table; nothing is trained.

    Args:
        paths: Audio files, or folders of them.
        codec: Codec of the encoder's features (a run, a folder, a file, or a loaded one), or a codec of audio; the
            shipped one by default where the encoder is the shipped one, else none.
        lambdas: Lagrange multipliers; those of the codec's own choice for audio.
        encoder: The encoder, or its name; the shipped emotion2vec-tiny by default.
        classifier: Classifier of the encoder's features; the encoder's own head by default.
        seconds: Length of the stretches that are classified one by one.
        trim: How many dB below its loudest 20 ms audio is cut at both ends; None to cut nothing.

    Returns:
        One row a file, operating point and stretch, the whole recording first: ``file``, ``lmbda`` (NaN before coding;
        bits a second for a codec of audio), ``begin``, ``end`` (seconds), ``whole``, ``bits_per_second``, ``emotion``,
        and a column of probabilities for each class.

    Raises:
        FileNotFoundError: There is no audio, no encoder or no codec.
        ValueError: A file cannot be read, codec and encoder do not fit, or an argument is out of range.
    """
    import pandas

    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [path for each in given for path, _ in find_files(Path(each), AUDIO_SUFFIXES)]
    opened = _encoder(encoder)
    found = _measured(files, codec, lambdas, opened, classifier, seconds, trim)
    return pandas.DataFrame([_cells(str(path), moment) for path, moment in found])


def _encoder(encoder: str | FrameEncoder | None) -> FrameEncoder | None:
    if not isinstance(encoder, str):
        return encoder
    from emoquant.encoders.naming import open_encoder

    return open_encoder(encoder)


@torch.no_grad()
def _measured(
    paths: Sequence[Path],
    codec: str | Path | Codec | AudioCodec | None,
    lambdas: Sequence[float] | None,
    encoder: FrameEncoder | None,
    classifier: EmotionHead | None,
    seconds: float,
    trim: float | None,
) -> Iterator[tuple[Path, Moment]]:
    """Yield what is heard in each recording."""
    require_threshold(trim)
    if codec is None and encoder is None:
        codec = CODEC
    encoder = (Emotion2Vec(ENCODER) if encoder is None else encoder).eval()
    head = encoder.head() if classifier is None else classifier
    origin = encoder.identify()
    require_origin("the classifier", head.origin, origin)
    coder = load_codec(find_checkpoint(codec)) if isinstance(codec, str | Path) else codec
    if isinstance(coder, Codec):
        require_origin(f"codec {coder.name!r}", coder.origin, origin)
    points = tuple(lambdas) if lambdas else coder.points if isinstance(coder, AudioCodec) else LAMBDAS
    with progress(len(paths), "measuring") as bar:
        for path in paths:
            waveform = trimmed(read_audio(path, sample_rate=encoder.sample_rate), encoder.sample_rate, trim)
            features, counts = encoder(waveform[None], torch.tensor([len(waveform)]))
            coded: Coded | None = None
            if isinstance(coder, AudioCodec):
                coded = Recoded(coder, encoder, []).code_waveform(waveform, path, points).coded
            elif coder is not None:
                coded = coder(features, counts, points)
            found = moments(features[0], coded, points, head, encoder.frame_rate, seconds)
            yield from ((path, moment) for moment in found)
            bar.update(1)


def _cells(file: str, moment: Moment) -> dict[str, Any]:
    whole = moment._asdict()
    probabilities = whole.pop("probabilities")
    return {"file": file, "lmbda": whole.pop("point"), **whole, **probabilities}
