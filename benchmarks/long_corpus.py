"""What a corpus of a million utterances costs before the first step, and whether a sweep's memory grows with it.

``python benchmarks/long_corpus.py`` makes an index without data: a manifest of a million audio files (empty ones, 250
MB of inodes), a feature store that lists them all (sparse shards that take no space) as an extraction leaves it behind.
Then every figure is measured in a process of its own: start-up of the data module with its samplers, loading workers,
and a whole sweep (``emoquant test``'s task and trainer) over small features of 2,000 and of 20,000 utterances. Times
are of the processor, which other work on the machine hardly changes; memory is the peak of resident pages.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from emoquant.data.extraction import open_store
from emoquant.data.index import Part, Source, source_hash
from emoquant.data.writer import ShardWriter
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.labels import STUDY_EMOTIONS

SHARD, FOLDER = 2000, 1000


class NoEncoder(FrameEncoder):
    """Stands for an encoder whose features are all in the store."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Raise: everything is in the store."""
        raise RuntimeError("the store lacks an utterance")

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames of waveforms."""
        return lengths // 320

    def fingerprint(self) -> str:
        """Return the key of the store."""
        return hashlib.sha256(f"long corpus {self.dim}".encode()).hexdigest()

    def head(self) -> EmotionHead:
        """Raise: there is none."""
        raise ValueError("no head")


class RandomHead(EmotionHead):
    """A classifier of random weights."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim, self.labels = dim, list(STUDY_EMOTIONS)
        self.layer = nn.Linear(dim, len(self.labels))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits."""
        return self.layer(vectors)


def lines(folder: Path, count: int) -> Iterator[str]:
    """Make the audio files and yield the lines of their manifest."""
    yield "path,emotion,speaker,text,split\n"
    for number in range(count):
        place = folder / f"audio/{number // FOLDER:05d}"
        if number % FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        os.close(os.open(place / f"utterance_{number:07d}.flac", os.O_CREAT | os.O_WRONLY))
        split = {0: "test", 1: "validation"}.get(number // 5 % 10, "train")
        emotion, speaker = STUDY_EMOTIONS[number % 5], f"s{number // 7 % 2000:04d}"
        path = f"audio/{number // FOLDER:05d}/utterance_{number:07d}.flac"
        yield f"{path},{emotion},{speaker},Sentence {number}.,{split}\n"


def make_corpus(folder: Path, count: int) -> None:
    """Write files and manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w") as file:
        file.writelines(lines(folder, count))


def source(folder: Path, number: int) -> Source:
    """Return what the store remembers of an audio file."""
    path = str(folder / f"audio/{number // FOLDER:05d}/utterance_{number:07d}.flac")
    found = os.stat(path)
    digest = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
    state = path, found.st_size, found.st_mtime_ns
    return Source(*state, digest, source_hash(*state))


def make_index(folder: Path, count: int, dim: int) -> None:
    """Fill a store's journal with entries of sparse shards, and merge it as an extraction does at its end."""
    store = open_store(NoEncoder(dim), folder / "cache")
    random = np.random.default_rng(0)
    with (store.folder / "journal-00000-synthetic.jsonl").open("w") as journal:
        for begin in range(0, count, SHARD):
            numbers = range(begin, min(begin + SHARD, count))
            frames = random.integers(60, 300, len(numbers)).tolist()
            offset, entries, sources = 1000, [], []
            for number, length in zip(numbers, frames, strict=True):
                found = source(folder, number)
                part = [f"u{number}", found.path, 0.0, None]
                entries.append([found.digest, offset, length, int(random.integers(2**32)), *part])
                sources.append(list(found))
                offset += length * dim * 4
            shard = store.folder / "shards" / f"00000-synthetic-{begin // SHARD:05d}.safetensors"
            with shard.open("wb") as file:
                file.truncate(offset)
            stamp = {"size": offset, "changed": shard.stat().st_mtime_ns}
            line = {"sources": sources, "shard": shard.name, **stamp, "entries": entries}
            journal.write(json.dumps(line) + "\n")
    store.merge()


def make_features(folder: Path, count: int, dim: int) -> None:
    """Write small random features of every utterance."""
    store, generator = open_store(NoEncoder(dim), folder / "cache"), torch.Generator().manual_seed(0)
    with ShardWriter(store, flush_seconds=1e9) as writer:
        for number in range(count):
            found = source(folder, number)
            features = torch.randn(8 + number % 9, dim, generator=generator)
            writer.add(bytes.fromhex(found.digest), features, Part(f"u{number}", found.path, 0.0, None))
            writer.note_source(found)
    store.merge()


def peak() -> float:
    """Return the peak of this program's resident memory in MiB (that of getrusage counts the process it came from)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def private(pid: int | str) -> tuple[float, float]:
    """Return resident and private memory of a process in MiB."""
    sizes: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        sizes[line.split(":")[0]] = int(line.split()[1])
    return sizes["Rss"] / 1024, (sizes["Private_Clean"] + sizes["Private_Dirty"]) / 1024


def start(folder: Path, dim: int) -> None:
    """Start a training's data module: import, index, splits, sampler of the first epoch."""
    begun = 0.0  # the clock of the process starts with it, so that all imports count
    from emoquant.data.manifest import ManifestCorpus
    from emoquant.data.module import EmotionDataModule

    imported = time.process_time()
    data = EmotionDataModule(
        ManifestCorpus(str(folder / "manifest.csv")), NoEncoder(dim), cache_dir=str(folder / "cache")
    )
    data.setup()
    opened = time.process_time()
    loader = data.train_dataloader()
    next(iter(loader.sampler))
    sampled = time.process_time()
    count = sum(len(data.dataset(split)) for split in ("train", "validation", "test"))
    times = f"{imported - begun:.1f} | {opened - imported:.1f} | {sampled - opened:.1f} | {sampled - begun:.1f}"
    print(f"| {count:,} | {times} | {peak():.0f} | {private('self')[0]:.0f} |", flush=True)
    data.num_workers = 2
    # The store has an index and no features: zeros take their place.
    # It is there since `setup`, and a method of an object is replaced on purpose.
    data._store.read = lambda row: torch.zeros(int(data._store.index.entries["frames"][row]), dim)  # type: ignore[union-attr,method-assign]
    batches = iter(data.train_dataloader())
    for _ in range(20):
        next(batches)
    for worker in batches._workers:  # type: ignore[attr-defined]  # a private attribute of torch
        print("  a loading worker: {:.0f} MiB resident, of which {:.0f} MiB its own".format(*private(worker.pid)))
    os._exit(0)  # the workers end with it


def sweep(folder: Path, dim: int) -> None:
    """Run a whole sweep as ``emoquant test`` does."""
    from lightning.pytorch import Trainer

    from emoquant.codecs import ECVQ
    from emoquant.codecs.search import layout_of
    from emoquant.data.manifest import ManifestCorpus
    from emoquant.data.module import EmotionDataModule
    from emoquant.entropy import LightModel
    from emoquant.quantization import GroupedResidualVQ
    from emoquant.tasks.evaluation import CodecEvaluationTask

    warnings.simplefilter("ignore")
    quantizer = GroupedResidualVQ(4, 2, 32, dim=dim)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8, knots=2)
    model.build(layout_of(quantizer))
    task = CodecEvaluationTask([ECVQ(quantizer, model, [0.0, 1.0, 9.0])], RandomHead(dim), replicates=50)
    data = EmotionDataModule(
        ManifestCorpus(str(folder / "manifest.csv")),
        NoEncoder(dim),
        cache_dir=str(folder / "cache"),
        frames_per_batch=4000,
    )
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=str(folder),
    )  # fmt: skip
    begun = time.process_time()
    trainer.test(task, data, verbose=False)
    print(f"| {len(data.dataset('test')):,} | {time.process_time() - begun:.1f} | {peak():.0f} |")


def apart(action: str, folder: Path, dim: int) -> None:
    """Do something in a process of its own."""
    command = [sys.executable, __file__, "--do", action, "--folder", str(folder), "--dim", str(dim)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])


def main() -> None:
    """Make what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=1_000_000)
    parser.add_argument(
        "--sweep", type=int, nargs="*", default=[20_000, 200_000], help="sizes of corpora, a tenth test"
    )
    parser.add_argument("--folder", type=Path, help="where the corpora are made and kept; a temporary one by default")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--do", choices=["start", "sweep"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        torch.set_num_threads(1)
        (start if options.do == "start" else sweep)(options.folder, options.dim)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.folder or Path(temporary)).resolve()
        if options.utterances:
            folder = root / f"index-{options.utterances}"
            if not (folder / "cache").exists():
                make_corpus(folder, options.utterances)
                make_index(folder, options.utterances, options.dim)
            print("| utterances | import s | index and splits s | sampler s | all s | peak MiB | then MiB |")
            print("|---|---|---|---|---|---|---|", flush=True)
            apart("start", folder, options.dim)
        if options.sweep:
            print("\n| test utterances | sweep s | peak MiB |\n|---|---|---|", flush=True)
        for count in options.sweep:
            folder = root / f"features-{count}"
            if not (folder / "cache").exists():
                make_corpus(folder, count)
                make_features(folder, count, 16)
            apart("sweep", folder, 16)


if __name__ == "__main__":
    main()
