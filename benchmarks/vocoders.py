"""How near vocoders come to recordings whose mel they are given (copy synthesis), and at what speed.

    python benchmarks/vocoders.py --trained checkpoints/vocoder-toy
    python benchmarks/vocoders.py --trained checkpoints/vocoder-toy --manifest ../shared/data/metadata.csv --corpus nemo

Of every vocoder: mel L1 (log10) and F0 error (Hz, frames voiced in both) of its speech against the recording,
mel-cepstral distortion (dB), DNSMOS, and seconds of speech made in a second of CPU time (OMP_NUM_THREADS=1). The row
`recording` is the recordings' own quality.
"""

import argparse
import json
import time

import torch
from torch import Tensor

from emoquant.audio import read_audio
from emoquant.data.base import Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.rendered import RenderedCorpus
from emoquant.metrics.speech import compare_speech, overall_quality
from emoquant.speech.mel import MelSettings
from emoquant.speech.pitch import melody
from emoquant.tts.vocoder_checkpoint import load_vocoder
from emoquant.tts.vocoders import GriffinLim, SourceFilter, Vocoder


def choose(options: argparse.Namespace) -> list[Utterance]:
    """Return test utterances at even distances through the test split."""
    if options.manifest:
        columns = {"start": "speech_start", "end": "speech_end"}
        where = {"corpus": options.corpus}
        corpus = ManifestCorpus(options.manifest, where=where, columns=columns, split="speaker")
        found = [each for each in corpus.utterances() if each.split == "test"]
    else:
        found = [each for each in RenderedCorpus(cache_dir=options.cache).utterances() if each.split == "test"]
    step = max(1, len(found) // options.count)
    return found[::step][: options.count]


def measure(vocoder: Vocoder | None, recordings: list[Tensor], mel: MelSettings) -> dict[str, float]:
    """Return the mean figures of a vocoder over recordings ``(N,)``; without one, of the recordings themselves."""
    sums: dict[str, float] = {}
    seconds = spent = 0.0
    for recording in recordings:
        track, mels = melody(recording, mel), mel(recording[None])[0]
        made = recording
        if vocoder is not None:
            begin = time.process_time()
            made = vocoder(mels[None], torch.tensor([len(mels)]), track.f0[None], track.voiced[None])[0]
            spent += time.process_time() - begin
            seconds += len(recording) / mel.sample_rate
            heard = melody(made[: len(recording)], mel)
            size = min(len(track.f0), len(heard.f0))
            both = track.voiced[:size] & heard.voiced[:size]
            again = mel(made[None])[0]
            length = min(len(again), len(mels))
            found = {
                "mel_l1": float((again[:length] - mels[:length]).abs().mean()),
                "f0_error_hz": float((track.f0[:size] - heard.f0[:size]).abs()[both].mean()) if both.any() else 0.0,
                "distortion_db": compare_speech(made, recording).distortion,
            }
            for name, value in found.items():
                sums[name] = sums.get(name, 0.0) + value
        sums["dnsmos"] = sums.get("dnsmos", 0.0) + overall_quality(made)
    figures = {name: round(value / len(recordings), 3) for name, value in sums.items()}
    return figures | ({"speech_per_cpu_second": round(seconds / spent, 1)} if spent else {})


@torch.no_grad()
def main() -> None:
    """Measure vocoders and print the figures as JSON, one row a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", nargs="*", default=[], help="folders or checkpoints of trained vocoders")
    parser.add_argument("--manifest", help="manifest of a corpus; the rendered corpus by default")
    parser.add_argument("--corpus", default="nemo", help="value of the manifest's column corpus")
    parser.add_argument("--count", type=int, default=20, help="utterances")
    parser.add_argument("--cache", default=".cache/emoquant", help="cache folder")
    options = parser.parse_args()
    mel = MelSettings()
    utterances = choose(options)
    recordings = [read_audio(each.path, each.start, each.end, mel.sample_rate) for each in utterances]
    vocoders: dict[str, Vocoder | None] = {"recording": None, "source-filter": SourceFilter(mel)}
    vocoders |= {"Griffin-Lim": GriffinLim(mel)} | {path: load_vocoder(path) for path in options.trained}
    for name, vocoder in vocoders.items():
        print(json.dumps({"vocoder": name, "n": len(recordings), **measure(vocoder, recordings, mel)}))


if __name__ == "__main__":
    main()
