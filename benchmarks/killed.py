"""The twelve commands of ``kill.py``: small settings of each, and what they leave, as it is compared."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from listening_world import POINTS, evaluation, render
from trainings import CLASSIFIER, CORPUS, EPOCHS, GE2E, PROBE, VOCODER, VOICE

from emoquant.data.store import FeatureStore
from emoquant.storage.runs import LAST, RESULTS, newest

#: Names of files whose content is a time or a way: what TensorBoard writes, logs, what a study notes of its commands.
EXCEPTED = re.compile(r"events\.out\.tfevents.*|log\.txt|run\.json")
#: Data of the commands that take frame features; {corpus} is a folder that all of them share.
DATA = """class_path: emoquant.data.EmotionDataModule
init_args:
  corpora:
    class_path: emoquant.data.RenderedCorpus
    init_args: {{sentences: {sentences}, voices: {voices}, cache_dir: {corpus}}}
  emotions: [angry, happy, neutral, sad, surprise]
  frames_per_batch: 600
"""
#: The sweep over lambda with one report, whose figures are most of its time.
SWEEP = """model:
  class_path: emoquant.tasks.CodecEvaluationTask
  init_args: {codecs: [{run: codec}], by_speaker: true, points: [0.0, 10.0], replicates: 50, save_seconds: 1.0e-6}
trainer:
  accelerator: cpu
  callbacks+:
  - class_path: emoquant.callbacks.ResultsWriter
    init_args:
      reports:
      - class_path: emoquant.reports.EmotionTable
        init_args: {metric: recall}
"""
SMALL_CODEC = [
    "--model.quantizer.init_args.groups=4", "--model.quantizer.init_args.layers=2",
    "--model.quantizer.init_args.codewords=16", "--model.codebook_epochs=2", "--model.gate_epochs=1",
    "--trainer.max_epochs=4", "--trainer.accelerator=cpu",
]  # fmt: skip
GO_ON = "--ckpt_path=last"

Artefacts = dict[str, str]


class Command(NamedTuple):
    """A command, small.

    Attributes:
        name: Its name in the table.
        words: What is typed after ``emoquant``; a place's own folder is the working folder.
        artefacts: Function that returns a digest of each file of a folder, by the name of the file.
        prepare: Puts into a folder what the command needs.
        needs: Commands whose ``runs`` it needs, from their unbroken runs.
        states: Whether what it leaves must at any moment be what was there before or the new one.
        rival: Whether a second process of the same command runs while the first is killed.
    """

    name: str
    words: list[str]
    artefacts: Callable[[Path], Artefacts]
    prepare: Callable[[Path], None] = lambda place: None
    needs: tuple[str, ...] = ()
    states: bool = False
    rival: bool = False


def all_commands(corpus: Path) -> list[Command]:
    """Return the commands; their corpora are rendered once, into a folder."""
    shared = f"{CORPUS}.cache_dir={corpus}"
    few = _data(corpus, 4, "[en-us]")
    data = ["--data", "data.yaml"]
    study = ["study", "sweep.yaml", *data, "--fit", " ".join(SMALL_CODEC)]
    listen = ["--data.corpora.sentences=4", "--data.corpora.voices=[en-us]", f"--data.corpora.cache_dir={corpus}"]
    listen += ["--model.conditions=[A]", "--model.points=[0.0,5.0,20.0]", "--trainer.accelerator=cpu"]
    return [
        Command("fit codec", ["fit", "codec", *data, *SMALL_CODEC, GO_ON], _training("codec"), few),
        Command("fit probe", ["fit", *PROBE, shared, GO_ON], _training("probe")),
        Command("fit classifier", ["fit", *CLASSIFIER, shared, GO_ON], _training("classifier")),
        Command("fit ge2e", ["fit", *GE2E, shared, GO_ON], _training("ge2e")),
        Command("fit voice", ["fit", *VOICE, *EPOCHS, shared, GO_ON], _training("tts_toy")),
        Command("fit vocoder", ["fit", *VOCODER, "--trainer.max_steps=20", shared, GO_ON], _training("vocoder")),
        Command("test", ["test", "sweep.yaml", *data], _evaluation("sweep"), few, ("fit codec",)),
        Command("predict", ["predict", "lambda", *listen], _under("runs/listen/lambda"), few, ("fit codec",)),
        Command("extract", ["extract", *data], _features, _data(corpus, 20, "[en-us, en-us+f3]")),
        Command(
            "compress", ["compress", "features", "out", "runs/codec", "--utterances", "8"], _under("out"),
            _many_features, ("fit codec",),
        ),
        Command("study", study, _study, few),
        Command("site", _SITE, _under("site"), _listening, states=True),
        Command("site, two at once", _SITE, _under("site"), _listening, states=True, rival=True),
    ]  # fmt: skip


def _data(corpus: Path, sentences: int, voices: str) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        (place / "sweep.yaml").write_text(SWEEP)
        (place / "data.yaml").write_text(DATA.format(corpus=corpus, sentences=sentences, voices=voices))

    return write


_SITE = ["site", "--out", "site", "--sweep", "[listen/lambda]", "--study", "[evaluation]"]


def _listening(place: Path) -> None:
    render(place / "listen" / "lambda", {"codec": POINTS}, ["A"])
    evaluation(place / "evaluation")


def _many_features(place: Path) -> None:
    (place / "features").mkdir()
    draw = np.random.default_rng(0)
    for number in range(64):
        frames = draw.normal(size=(50 + number, 192)).astype(np.float32)
        np.save(place / "features" / f"{number:03d}.npy", frames)


def left_over(place: Path) -> list[str]:
    """Return the half-written files and folders in a place."""
    return sorted(str(path.relative_to(place)) for path in place.rglob(".*.tmp"))


def _training(name: str) -> Callable[[Path], Artefacts]:
    return lambda place: _version(place / "runs" / name, LAST)


def _evaluation(name: str) -> Callable[[Path], Artefacts]:
    return lambda place: _version(place / "runs" / name, RESULTS)


def _version(place: Path, holding: str) -> Artefacts:
    """Return what the newest version of a run holds, and what lies beside the versions."""
    run = newest(place, holding)
    if run is None:
        return {}
    found = _files(run.folder, place.parent.parent)
    beside = {name: text for name, text in _files(place, place.parent.parent).items() if not name.startswith("version")}
    return found | beside


def _study(place: Path) -> Artefacts:
    found = {name: text for name, text in _files(place / "runs", place).items() if "/version" not in name}
    for name, holding in (("codec", LAST), ("sweep", RESULTS)):
        found |= {f"{name}/{file}": text for file, text in _version(place / "runs" / name, holding).items()}
    return found


def _under(folder: str) -> Callable[[Path], Artefacts]:
    def found(place: Path) -> Artefacts:
        files = _files(place / folder, place)
        # The journals of a listening run say in which order clips were rendered; every command has settings of its own.
        return {name: text for name, text in files.items() if not name.startswith(("journal-", "version_"))}

    return found


def _features(place: Path) -> Artefacts:
    """Return the entries of the feature store; in which shards they lie is a matter of the way."""
    (described,) = (place / ".cache").rglob("store.json")
    said = json.loads(described.read_text())
    store = FeatureStore(described.parent, said["fingerprint"], said["dim"], said["precision"])
    rows = [int(row) for row in store.index.rows_of()]
    return {store.index.key(row).hex(): _digest(store.read(row).numpy().tobytes()) for row in rows}


def _files(folder: Path, place: Path) -> Artefacts:
    """Return digests of all files in a folder; paths of the place, and numbers of versions, count for nothing."""
    found: Artefacts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or EXCEPTED.fullmatch(path.name):
            continue
        if path.suffix == ".ckpt":
            content = torch.load(path, weights_only=True)
            found |= {f"{name}: {part}": text for part, text in _parts(content, place)}
        else:
            found[name] = _digest(_without_place(path.read_bytes(), place))
    return found


def _parts(content: Any, place: Path, at: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - of a checkpoint
    if isinstance(content, dict):
        for key, value in content.items():
            name = _without_place(str(key).encode(), place).decode()
            yield from _parts(value, place, f"{at}/{name}")
    elif isinstance(content, list | tuple):
        for number, value in enumerate(content):
            yield from _parts(value, place, f"{at}/{number}")
    elif isinstance(content, torch.Tensor):
        flat = content.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes() if content.numel() else b""
        yield at, _digest(str((content.dtype, tuple(content.shape))).encode() + flat)
    else:
        yield at, _digest(_without_place(repr(content).encode(), place))


def _without_place(data: bytes, place: Path) -> bytes:
    """Leave out of a file what says by which way it was made: folders, numbers of versions, what a run went on from."""
    data = re.sub(rb"(?m)^ckpt_path: .*$", b"", data.replace(str(place).encode(), b"PLACE"))
    return re.sub(rb"(last\.ckpt,)[0-9a-f]{64}", rb"\1", re.sub(rb"version_\d+", b"version_N", data))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
