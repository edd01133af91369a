"""The command ``bits``: what else than emotion is in the bits that a codec spends."""

from pathlib import Path
from typing import Any

from emoquant.audio_codecs import AudioCodec, Tokenizer
from emoquant.codecs.specs import Place, open_codecs
from emoquant.commands.bits_inquiry import Inquiry
from emoquant.encoders.base import FrameEncoder
from emoquant.reports.bitrate import RATE, BitrateCurves
from emoquant.reports.redraw import FOLDER
from emoquant.storage.origin import require_origin
from emoquant.storage.results import write_results
from emoquant.storage.runs import RESULTS, RUNS, Begun
from emoquant.study.corpus import open_data
from emoquant.voice.metrics.quality import overall_quality
from emoquant.voice.metrics.recoded import Listener
from emoquant.voice.text.recognition import Recognizer

#: The codec of the shipped encoder's features.
CODEC = "checkpoints/codec"


def bits(
    data: str | None = None,
    encoder: str | None = None,
    codecs: list[Any] | None = None,
    audio_codecs: list[AudioCodec] | None = None,
    tokenizers: list[Tokenizer] | None = None,
    speaker_encoder: FrameEncoder | None = None,
    recognizer: Recognizer | None = None,
    melody: bool = True,
    quality: bool = False,
    emotions: list[str] | None = None,
    code_utterances: int = 0,
    folder: Path = Path(RUNS) / "bits",
    replicates: int = 1000,
) -> Path:
    """Measure what else than emotion is in the bits: speaker, text, F0 and quality, over bits a second.

    Linear probes classify emotion, speaker and text: from time means of the features, and from histograms of codes
    where a codec has codes. They are cross-validated on the test split. Decoded audio is measured by a speaker encoder,
    a recogniser, its F0 and DNSMOS, too.

    Args:
        data: The corpus: a shipped name, a YAML or a CSV.
        encoder: The encoder of the features: a name on a hub, a folder or a YAML; that of the data by default.
        codecs: Codecs of features, as the YAML of an evaluation spells them; the shipped one by default where no
            encoder is named.
        audio_codecs: Codecs of audio.
        tokenizers: Tokenizers, which have codes and no audio: probes read the codes.
        speaker_encoder: Encoder whose time means are speaker vectors, for codecs of audio; none by default.
        recognizer: Recogniser of speech, for codecs of audio; none by default.
        melody: Whether the F0 of decoded audio is compared with that of the recordings (extra ``speech``).
        quality: Whether DNSMOS predicts the quality of recordings and decoded audio (extra ``speech``).
        emotions: Emotions that are kept.
        code_utterances: Training utterances, evenly spaced, whose codes an entropy model is trained on for every
            codec of audio and tokenizer with codes: how much of its rate is redundant; 0 for none.
        folder: Folder of results.csv and of the reports.
        replicates: Bootstrap replicates behind the intervals.

    Returns:
        The folder of the reports.

    Raises:
        FileNotFoundError: The corpus, a codec or an encoder is not where it should be.
        ImportError: A package that a measure needs is not installed.
        ValueError: An argument is wrong, or no codec is named.
    """
    specs = codecs if codecs is not None else [] if encoder else [CODEC]
    rivals, coders = audio_codecs or [], tokenizers or []
    if not (specs or rivals or coders):
        raise ValueError("no codec is named: expected --codecs, --audio_codecs or --tokenizers")
    module = open_data(Begun(data, encoder, emotions))
    opened = open_codecs(specs, module.emotions, Place())
    module.prepare_data()
    module.setup()
    for codec in opened:
        require_origin(f"codec {codec.name!r}", codec.origin, module.origin)
    listener = Listener(speaker_encoder, recognizer, melody, overall_quality if quality else None)
    inquiry = Inquiry(module, listener, replicates, code_utterances=code_utterances)
    rows = inquiry.unquantized(audio=bool(rivals))
    for codec in opened:
        rows += inquiry.features(codec)
    for rival in rivals:
        rows += inquiry.audio(rival)
    for coder in coders:
        rows += inquiry.tokens(coder)
    write_results(folder / RESULTS, rows)
    present = list(dict.fromkeys(row.metric for row in rows))
    shown = [name for name in present if not name.endswith(RATE) and not name.startswith("probe_chance")]
    for path in BitrateCurves(shown, name="bits", title="Bits spent on what").write(rows, folder / FOLDER):
        print(path)
    return folder / FOLDER
