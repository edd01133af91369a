"""What cases of bad input start from: small files of every kind, sound and broken."""

from pathlib import Path

import numpy as np
import soundfile
import torch
from fake.corpora import write_tone
from fake.encoder import FakeEncoder

from emoquant.codecs import ECVQ, save_codec
from emoquant.codecs.search import layout_of
from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.manifest import ManifestCorpus
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.origin import Origin
from emoquant.storage.results import Row, write_results

TINY = "checkpoints/emotion2vec-tiny"
QUIET = ExtractionSettings(progress=False)
DIM = 8
#: What lies in the place of a file that Git LFS did not fetch.
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


def tone(path: Path, seconds=0.5, rate=16_000, channels=1, subtype="PCM_16", **kind) -> Path:
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 200 * time)[:, None] * np.linspace(1, 0.5, channels)
    soundfile.write(path, wave, rate, subtype=subtype, **kind)
    return path


def manifest(folder: Path, text: str, **options) -> ManifestCorpus:
    for number, file in enumerate(("a.wav", "b.wav", "sub/c.wav")):
        write_tone(folder / "corpus" / file, number=number)
    path = folder / "corpus" / "m.csv"
    path.write_text(text, encoding="utf-8")
    return ManifestCorpus(str(path), **options)


LINES = "path,emotion,speaker,split\na.wav,sad,x,train\n"


def extracted(folder: Path, encoder=None):
    corpus = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n")
    encoder = encoder or FakeEncoder()
    store = open_store(encoder, folder / "cache")
    extract(corpus.utterances(), encoder, store, settings=QUIET)
    store.merge()
    store.refresh()
    return corpus, encoder, store


def codec(path: Path, dim: int = DIM, origin: Origin | None = None) -> Path:
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=dim)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8)
    model.build(layout_of(quantizer))
    made = ECVQ(quantizer, model)
    made.origin = origin
    save_codec(made, path)
    return path


class Malicious:
    """Would make a file called ran when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (open, (str(self.folder / "ran"), "w"))


UNREADABLE = "it is damaged, cut off or of another kind"


FIGURES = [
    ("sad", "recall", 0.5), ("happy", "recall", 0.7), ("all", "uar", 0.6), ("all", "bits_per_frame", 9.0),
    ("sad", "bits_per_frame", 8.0), ("happy", "bits_per_frame", 10.0),
]  # fmt: skip


def results_of(run: Path, codecs) -> Path:
    """Write the results of a run with these codecs, enough for its reports."""
    rows = [
        Row("corpus", codec, point, emotion, metric, value, value - 0.01, value + 0.01, 5)
        for codec in codecs
        for point in (1.0, 10.0)
        for emotion, metric, value in FIGURES
    ]
    write_results(run / "results.csv", rows)
    return run
