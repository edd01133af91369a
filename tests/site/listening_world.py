"""A small listening world: synthetic tones in the place of voices, manifests by the project's own writers."""

import math

import numpy as np
import soundfile

from emoquant.reports import SweepCurves
from emoquant.reports.pages import Section
from emoquant.storage.results import Row, write_results
from emoquant.voice.clips import Clip, write_clips
from emoquant.voice.metrics.summary import clip_rows

RATE = 16_000
EMOTIONS = ("angry", "happy", "sad")
SPEAKERS = ("one", "two")
POINTS = (0.0, 10.0, 100.0)
#: More digits than a number of JavaScript can hold.
SEED = 607435102686438647


def tone(pitch, seconds, level):
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3))
    return level * harmonics * np.minimum(1, 20 * np.minimum(time, seconds - time))


class Run:
    """Renders the clips of a run into a folder."""

    def __init__(self, folder):
        self.folder, self.clips = folder, []
        (folder / "clips").mkdir(parents=True)

    def add(self, name, kind, condition, codec, lmbda, emotion, speaker, pitch, seconds=0.9, level=0.2, **more):
        file = f"clips/{name}.wav"
        soundfile.write(self.folder / file, tone(pitch, seconds, level), RATE, subtype="PCM_16")
        point = 0.0 if math.isnan(lmbda) else lmbda
        near = 1 / (1 + point / 20)
        measured = {
            "bits_per_frame": 200 * near,
            "skip_rate": 1 - near,
            "predicted": emotion if near > 0.3 else "neutral",
            "similarity_reference": near - 0.01,
            "similarity_own": near - 0.1234567,
            "similarity_neutral": 0.9 - near,
            "f0_mean": float(pitch),
            "settings": "0123456789abcdef",
        }
        reference = f"{speaker}-{emotion}"
        clip = Clip(file, kind, condition, codec, lmbda, reference, "It is, \"here\".", "It is, \"here\".", emotion,
                    speaker, SEED if kind == "synthesis" else 0, seconds, **{**measured, **more})  # fmt: skip
        self.clips.append(clip)

    def close(self, described=()):
        write_clips(self.folder / "manifest.csv", self.clips)
        write_results(self.folder / "results.csv", [*clip_rows(self.clips, "tones", replicates=20), *described])
        return self.folder


def described(codec, emotion, metric, value, corpus="tones"):
    """What a codec is: the emotions it was trained on, or the share of the second reference."""
    return Row(corpus, codec, math.nan, emotion, metric, value, math.nan, math.nan, 0)


def trained(codecs, corpus="tones"):
    """Rows of codebooks of one emotion each, ``{name: emotion}``."""
    return [described(codec, emotion, "trained_on", 1.0, corpus) for codec, emotion in codecs.items()]


def render(folder, codecs, conditions=("A", "B"), emotions=EMOTIONS, rows=(), **more):
    """A run of every emotion and speaker through codecs, ``{name: points}``, with more rows of its results."""
    run = Run(folder)
    for e, emotion in enumerate(emotions):
        for s, speaker in enumerate(SPEAKERS):
            base, who = 140 + 60 * e + 7 * s, f"{speaker}-{emotion}"
            run.add(f"{who}-truth", "ground_truth", "", "none", math.nan, emotion, speaker, base, 1.0, 0.5)
            run.add(f"{who}-copy", "copy_synthesis", "", "none", math.nan, emotion, speaker, base + 1)
            for c, condition in enumerate(conditions):
                key = f"{who}-{condition}"
                mixed = {name: value for name, value in more.items() if name != "partners"}
                if partners := more.get("partners"):
                    mixed |= {"partner": f"{speaker}-{partners[emotion]}", "partner_emotion": partners[emotion]}
                    mixed |= {"similarity_partner": 0.25}
                plain = (f"{key}-none", "synthesis", condition, "none", math.nan, emotion, speaker, base + 3 + 20 * c)
                run.add(*plain, **mixed)
                run.add(f"{key}-random", "random_vector", condition, "none", math.nan, emotion, speaker, 500)
                for n, (codec, points) in enumerate(codecs.items()):
                    for p, point in enumerate(points):
                        # At lambda 0 the very samples of the unquantized clip, as a good codec gives them.
                        pitch = base + 3 + 20 * c + (5 * n + 2 * p if p else 0)
                        name = f"{key}-{codec}-{point:g}"
                        seconds = 0.9 + 0.1 * (p == 2)
                        run.add(name, "synthesis", condition, codec, point, emotion, speaker, pitch, seconds, **mixed)
    return run.close(rows)


def evaluation(folder, corpus="tones"):
    """Rows of an evaluation of biased codebooks, drawn by one report."""
    rows = trained({codec: codec for codec in EMOTIONS}, corpus)
    for codec in EMOTIONS:
        for point in POINTS:
            for e, emotion in enumerate(EMOTIONS):
                for target in EMOTIONS:
                    value = -point / 10 - e if target == codec else 1.0
                    rows.append(Row(corpus, codec, point, emotion, f"attraction/{target}", value, -9.0, 9.0, 7))
                rows.append(
                    Row(corpus, codec, point, emotion, "recall", 1 / (1 + point), 0.1, 0.9, 7, "all", "speakers")
                )
    SweepCurves("recall").write(rows, folder / "reports")
    write_results(folder / "results.csv", rows)
    (folder / "weights.ckpt").write_bytes(b"weights")
    config = f"model:\n  checkpoint: {folder / 'weights.ckpt'}\n  note: <script>alert('&')</script>\n"
    (folder / "config.yaml").write_text(config)
    return Section("biased codebooks", folder / "reports", rows, config)
