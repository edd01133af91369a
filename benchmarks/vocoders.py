"""How near vocoders come to recordings whose mel they are given (copy synthesis), and at what speed.

    python benchmarks/vocoders.py --trained checkpoints/vocoder-22k
    python benchmarks/vocoders.py --trained runs/vocoder_22k --manifest ../shared/data/metadata.csv --corpus nemo \
      --per-cell 4 --recognizer .cache/whisper-base --language pl

Of every vocoder, for the mels of its own settings: mel L1 (log10) and F0 error (Hz, frames voiced in both) of its
speech against the recording, mel-cepstral distortion (dB), DNSMOS, with a recogniser character and word errors, and
seconds of speech made in a second of CPU time (OMP_NUM_THREADS=1). `minus_recording` has the mean difference to the
recordings with its 95 % interval, by a bootstrap over utterances. The utterances are of the test sentences (or test
speakers: `--split speaker`), spread over speakers, emotions and texts like those of listening runs.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emoquant.audio.loading import read_audio, resampled
from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import melody
from emoquant.data.base import Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.rendered import RenderedCorpus
from emoquant.voice.metrics import character_errors, compare_speech, overall_quality, word_errors
from emoquant.voice.tasks.listening_items import spread_over_texts
from emoquant.voice.text.recognition import Recognizer, WhisperRecognizer
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.vocoders import GriffinLim, SourceFilter, Vocoder

RATE = 16_000


def choose(options: argparse.Namespace) -> list[Utterance]:
    """Return test utterances of every speaker and emotion, spread over the sentences."""
    if options.manifest:
        columns = {"start": "speech_start", "end": "speech_end"}
        corpus = ManifestCorpus(
            options.manifest, where={"corpus": options.corpus}, columns=columns, split=options.split
        )
        found = [each for each in corpus.utterances() if each.split == "test" and each.emotion in options.emotions]
    else:
        found = [each for each in RenderedCorpus(cache_dir=options.cache).utterances() if each.split == "test"]
    speakers, emotions = ([sorted({name(each) for each in found}).index(name(each)) for each in found]
                          for name in (lambda each: each.speaker, lambda each: each.emotion))  # fmt: skip
    rows = spread_over_texts(speakers, emotions, [each.text for each in found], options.per_cell)
    return [found[row] for row in rows][: options.count]


def read(utterance: Utterance, rate: int) -> Tensor:
    """Return the samples of an utterance at a rate, ``(N,)``."""
    return read_audio(utterance.path, utterance.start, utterance.end, rate)


def heard(waveform: Tensor, text: str, recognizer: Recognizer | None, language: str | None) -> dict[str, float]:
    """Return what is measured of speech at 16 kHz alone: quality, and errors of a recogniser."""
    found = {"dnsmos": overall_quality(waveform)}
    if recognizer is not None:
        said = recognizer(waveform, language)
        for name, count in (("cer", character_errors), ("wer", word_errors)):
            errors = count(said, text)
            found[name] = errors.errors / errors.length
    return found


def compared(made: Tensor, recording: Tensor, mel: MelSettings) -> dict[str, float]:
    """Return how far a copy ``(N,)`` is from its recording ``(N,)``, both at the rate of the mels."""
    track, again = melody(recording, mel), melody(made[: len(recording)], mel)
    size = min(len(track.f0), len(again.f0))
    both = track.voiced[:size] & again.voiced[:size]
    mels = [mel(waveform[None])[0] for waveform in (made, recording)]
    length = min(map(len, mels))
    at_rate = [resampled(waveform, mel.sample_rate, RATE) for waveform in (made, recording)]
    return {
        "mel_l1": float(mel.decades(mels[0][:length] - mels[1][:length]).abs().mean()),
        "f0_error_hz": float((track.f0[:size] - again.f0[:size]).abs()[both].mean()) if both.any() else 0.0,
        "distortion_db": compare_speech(*at_rate).distortion,
    }


def measure(
    vocoder: Vocoder, utterances: Sequence[Utterance], recognizer: Recognizer | None, language: str | None
) -> tuple[dict[str, np.ndarray], float]:
    """Return the figures of each copy by name, and seconds of speech made in a second of CPU time."""
    mel, found = vocoder.mel, list[dict[str, float]]()
    seconds = spent = 0.0
    for utterance in utterances:
        recording = read(utterance, mel.sample_rate)
        track, mels = melody(recording, mel), mel(recording[None])[0]
        begin = time.process_time()
        made = vocoder(mels[None], torch.tensor([len(mels)]), track.f0[None], track.voiced[None])[0]
        spent += time.process_time() - begin
        seconds += len(recording) / mel.sample_rate
        at_rate = resampled(made, mel.sample_rate, RATE)
        found.append(compared(made, recording, mel) | heard(at_rate, utterance.text, recognizer, language))
    return {name: np.array([each[name] for each in found]) for name in found[0]}, seconds / spent


def interval(values: np.ndarray, replicates: int = 4000) -> list[float]:
    """Return the mean of values and the ends of its 95 % interval, by a bootstrap."""
    draws = np.random.default_rng(0).integers(len(values), size=(replicates, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return [round(float(value), 3) for value in (values.mean(), low, high)]


@torch.no_grad()
def main() -> None:
    """Measure vocoders and print the figures as JSON, one row a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", nargs="*", default=[], help="whatever load_vocoder reads")
    parser.add_argument("--manifest", help="manifest of a corpus; the rendered corpus by default")
    parser.add_argument("--corpus", default="nemo", help="value of the manifest's column corpus")
    parser.add_argument("--split", default="text", choices=["text", "speaker"], help="what the test part has new")
    parser.add_argument("--emotions", nargs="*", default=["angry", "happy", "neutral", "sad", "surprise"])
    parser.add_argument("--per-cell", type=int, default=1, help="utterances of each speaker and emotion")
    parser.add_argument("--count", type=int, help="utterances at most")
    parser.add_argument("--recognizer", help="folder or name of a Whisper model")
    parser.add_argument("--language", default="en", help="language of the corpus")
    parser.add_argument("--cache", default=".cache/emoquant", help="cache folder")
    parser.add_argument("--untrained", action="store_true", help="measure the vocoders without weights as well")
    options = parser.parse_args()
    recognizer = WhisperRecognizer(options.recognizer) if options.recognizer else None
    utterances = choose(options)
    own = [heard(read(each, RATE), each.text, recognizer, options.language) for each in utterances]
    recordings = {name: np.array([each[name] for each in own]) for name in own[0]}
    row = {name: round(float(values.mean()), 3) for name, values in recordings.items()}
    print(json.dumps({"vocoder": "recordings", "n": len(utterances), **row}), flush=True)
    vocoders: dict[str, Vocoder] = {}
    if options.untrained:
        for name, mel in (("22 kHz", MelSettings()), ("16 kHz", MelSettings.generspeech())):
            vocoders |= {f"source-filter, {name}": SourceFilter(mel), f"Griffin-Lim, {name}": GriffinLim(mel)}
    vocoders |= {path: load_vocoder(path) for path in options.trained}
    for name, vocoder in vocoders.items():
        figures, speed = measure(vocoder, utterances, recognizer, options.language)
        row = {key: round(float(values.mean()), 3) for key, values in figures.items()}
        apart = {key: interval(figures[key] - recordings[key]) for key in recordings}
        row |= {"speech_per_cpu_second": round(speed, 1)}
        name = str(Path(name)) if Path(name).exists() else name
        print(json.dumps({"vocoder": name, "n": len(utterances), **row, "minus_recording": apart}), flush=True)


if __name__ == "__main__":
    main()
