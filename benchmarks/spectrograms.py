"""Draws the same test sentences as voices say them, below the recordings: a column an emotion, a row a voice.

    python benchmarks/spectrograms.py voices.png nemoKD0 --voice checkpoints/tts-nemo checkpoints/emotion2vec-tiny

``--voice FOLDER ENCODER`` is given for each voice. Each sentence is said with the emotion vector of its own recording
(condition A), without local style. Power spectrograms of 16 kHz audio: Hann window of 25 ms, every 5 ms, 70 dB.
"""

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from emoquant.audio.loading import read_audio, resampled
from emoquant.data import ManifestCorpus, Utterance
from emoquant.encoders import Emotion2Vec
from emoquant.voice.tts.references import Reference
from emoquant.voice.tts.synthesis import load_synthesizer

RATE, DECIBELS = 16_000, 70
EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise")


def sentences(manifest: str, corpus: str, speaker: str) -> list[Utterance]:
    """Return one test utterance of a speaker for each emotion, each of another sentence.

    Raises:
        ValueError: The speaker has none for an emotion.
    """
    columns = {"start": "speech_start", "end": "speech_end"}
    source = ManifestCorpus(manifest, name=corpus, where={"corpus": corpus}, columns=columns, split="text")
    theirs = [each for each in source.utterances() if (each.speaker, each.split) == (speaker, "test")]
    found: dict[str, Utterance] = {}  # by sentence
    for emotion in EMOTIONS:
        chosen = next((each for each in theirs if each.emotion == emotion and each.text not in found), None)
        if chosen is None:
            raise ValueError(f"{corpus} has no test utterance of {speaker} with another sentence and emotion {emotion}")
        found[chosen.text] = chosen
    return list(found.values())


def draw(place: str, rows: dict[str, list[Tensor]], titles: Sequence[str]) -> None:
    """Draw spectrograms of waveforms, row by row."""
    figure, axes = plt.subplots(
        len(rows), len(titles), figsize=(2.4 * len(titles), 1.5 * len(rows)), squeeze=False, layout="constrained"
    )
    for line, (name, waveforms) in zip(axes, rows.items(), strict=True):
        for axis, waveform in zip(line, waveforms, strict=True):
            window = torch.hann_window(400)
            power = torch.stft(waveform, 512, 80, 400, window, return_complex=True).abs().square()
            level = 10 * (power / power.max()).clamp(min=1e-12).log10()
            extent = (0, len(waveform) / RATE, 0, RATE / 2000)
            axis.imshow(level, origin="lower", aspect="auto", extent=extent, vmin=-DECIBELS, cmap="magma")
            axis.tick_params(labelsize=6)
        line[0].set_ylabel(f"{name}\nkHz", fontsize=7)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("s", fontsize=7)
    figure.savefig(place, dpi=80)


def main() -> None:
    """Say the sentences and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", help="PNG to write")
    parser.add_argument("speaker", help="speaker of the voices and of the recordings")
    parser.add_argument("--voice", nargs=2, action="append", required=True, metavar=("FOLDER", "ENCODER"))
    parser.add_argument("--names", nargs="*", help="names of the voices in the picture; their folders by default")
    parser.add_argument("--manifest", default="../shared/data/metadata.csv")
    parser.add_argument("--corpus", default="nemo")
    options = parser.parse_args()
    chosen = sentences(options.manifest, options.corpus, options.speaker)
    recordings = [read_audio(each.path, each.start, each.end) for each in chosen]
    rows = {"recording": recordings}
    for (folder, encoder), name in zip(options.voice, options.names or [v[0] for v in options.voice], strict=True):
        synthesizer = load_synthesizer(folder, Emotion2Vec(encoder))
        rate = synthesizer.voice.facts.mel.sample_rate
        said = [
            synthesizer.synthesize(each.text, Reference(recording), speaker=options.speaker).waveform
            for each, recording in zip(chosen, recordings, strict=True)
        ]
        rows[name] = [resampled(each, rate, RATE) for each in said]
    draw(options.picture, rows, [each.emotion for each in chosen])
    for each in chosen:
        print(f"{each.emotion}: {each.text}")


if __name__ == "__main__":
    main()
