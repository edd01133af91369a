"""What intensity does to a voice: recall and melody between neutral and the emotion, and beyond it.

    python benchmarks/intensity.py checkpoints/tts-toy
    python benchmarks/intensity.py checkpoints/tts-nemo --data configs/data/nemo_speech.yaml

Every reference that is not neutral is said in its own words and voice at each intensity, its way beginning at a neutral
recording of the speaker in the same split, as ``emoquant say --intensity`` does it. Recall is that of the encoder's own
head; the melody is that of the clip, in semitones from the same reference at intensity 0. Intervals resample references
(percentile bootstrap); "towards the emotion" is the melody's change in the direction that the recording has from
the neutral one.
"""

import argparse
import math
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from voice import read_data

from emoquant.audio.loading import resampled
from emoquant.labels import canonical_emotion
from emoquant.metrics.intervals import percentile_interval
from emoquant.voice.data import TTSDataModule
from emoquant.voice.tts.recipe import Emotion, Intensity
from emoquant.voice.tts.synthesis import Synthesizer, load_synthesizer, seed_of

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


class Heard(NamedTuple):
    """One reference at all intensities.

    Attributes:
        emotion: Its emotion.
        right: Whether the head hears the emotion, ``(A,)``.
        neutral: Whether it hears neutral, ``(A,)``.
        melody: Mean F0 in semitones, ``(A,)``.
        asked: Mean F0 of the recording above the neutral recording, in semitones.
    """

    emotion: str
    right: list[float]
    neutral: list[float]
    melody: list[float]
    asked: float


def semitones(f0: Tensor, voiced: Tensor) -> float:
    """Return the mean F0 of voiced frames in semitones; NaN where there are none."""
    return float(12 * f0[voiced.bool() & (f0 > 0)].log2().mean())


def measure(data: TTSDataModule, synthesizer: Synthesizer, per_cell: int) -> list[Heard]:
    """Return what is heard of up to so many references of each speaker and emotion."""
    split, head = data.dataset("test"), data.encoder.head()
    names = [canonical_emotion(name) for name in head.labels]
    rows, neutral = defaultdict(list), {}
    for row, utterance in enumerate(split.utterances):
        who = int(split.speakers[row])
        if utterance.emotion == "neutral":
            neutral.setdefault(who, row)
        elif len(rows[who, utterance.emotion]) < per_cell:
            rows[who, utterance.emotion].append(row)
    found = []
    for (who, emotion), chosen in sorted(rows.items()):
        if who not in neutral:
            continue
        start = split.frames[neutral[who]].mean(0)
        for row in chosen:
            frames, text = split.frames[row], split.utterances[row].text
            made = [Intensity(amount, start)(Emotion(frames), synthesizer.frames) for amount in AMOUNTS]
            speaker = synthesizer.speaker_vector(data.speakers[who])
            said = synthesizer.say(text, made, None, speaker, seed_of(text))
            heard = []
            for speech in said:
                audio = resampled(speech.waveform, synthesizer.voice.facts.mel.sample_rate, data.encoder.sample_rate)
                heard.append(names[int(head(synthesizer.frames(audio).mean(0)).argmax())])
            own, other = (split.items[each] for each in (row, neutral[who]))
            pitch = [semitones(torch.from_numpy(each.f0), torch.from_numpy(each.voiced)) for each in (own, other)]
            melody = [semitones(speech.f0, speech.voiced) for speech in said]
            right = [float(name == emotion) for name in heard]
            found.append(
                Heard(emotion, right, [float(name == "neutral") for name in heard], melody, pitch[0] - pitch[1])
            )
    return found


def interval(values: np.ndarray, draws: np.ndarray) -> str:
    """Return the mean of values ``(N,)`` with its 95 % interval."""
    low, high = percentile_interval(torch.from_numpy(values[draws].mean(1)), torch.tensor(len(values)))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def table(found: list[Heard], seed: int = 0) -> list[str]:
    """Return the lines of a Markdown table."""
    draws = np.random.default_rng(seed).integers(0, len(found), (1000, len(found)))
    melody = np.array([each.melody for each in found])
    towards = (melody - melody[:, :1]) * np.sign([[each.asked] for each in found])
    lines = ["| intensity | recall | heard as neutral | F0 towards the emotion, semitones |", "|---|---|---|---|"]
    for place, amount in enumerate(AMOUNTS):
        right, neutral = (np.array([getattr(each, name)[place] for each in found]) for name in ("right", "neutral"))
        cells = [interval(right, draws), interval(neutral, draws), interval(towards[:, place], draws)]
        lines.append(f"| {amount:g} | {' | '.join(cells)} |")
    for name in sorted({each.emotion for each in found}):
        mine = [each for each in found if each.emotion == name]
        recalls = " / ".join(f"{np.mean([each.right[place] for each in mine]):.2f}" for place in range(len(AMOUNTS)))
        lines.append(f"\n{name} (n = {len(mine)}): recall {recalls}")
    for name, values in (("recall", np.array([each.right for each in found])), ("F0", towards)):
        steps = np.diff(values.mean(0))
        lines.append(f"\n{name}: {'rises at every step' if (steps > 0).all() else 'is not monotone'}")
    return lines


@torch.no_grad()
def main() -> None:
    """Measure a voice and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", help="folder of a voice, of a training run, or a checkpoint")
    parser.add_argument("--data", help="YAML of a TTSDataModule; the rendered corpus by default")
    parser.add_argument("--encoder", default="checkpoints/emotion2vec-tiny", help="emotion encoder without --data")
    parser.add_argument("--cache", default=".cache/emoquant", help="cache folder")
    parser.add_argument("--per_cell", type=int, default=4, help="references of each speaker and emotion")
    options = parser.parse_args()
    data = read_data(options.data, options.encoder, options.cache, 4000)
    data.prepare_data()
    data.setup("test")
    found = measure(data, load_synthesizer(options.voice, data.encoder), options.per_cell)
    found = [each for each in found if all(map(math.isfinite, [*each.melody, each.asked]))]
    print(f"{options.voice}: {len(found)} references of {len({each.emotion for each in found})} emotions\n")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
