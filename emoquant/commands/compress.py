"""``emoquant compress``: a folder of features or audio to ``.emq`` files."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emoquant.commands.manifest import CompressedRow, append_rows, read_rows, write_rows
from emoquant.commands.sources import Source, find_sources, place_output, read_features
from emoquant.files import write_whole
from emoquant.origin import Origin, require_origin
from emoquant.sharding import parse_shard

if TYPE_CHECKING:
    from torch import Tensor

    from emoquant.codecs.ecvq import ECVQ
    from emoquant.codecs.rate_control import Controlled
    from emoquant.codecs.rate_curves import Curves, Target
    from emoquant.codecs.real_bits import RealBits
    from emoquant.encoders.base import FrameEncoder

#: Frames of a batch at most, one utterance at least.
FRAMES = 50_000


def compress(
    input: Path,
    output: Path,
    codec: Path,
    lmbda: float | None = None,
    bits_per_frame: float | None = None,
    similarity: float | None = None,
    tolerance: float | None = None,
    scope: Literal["utterance", "corpus"] = "utterance",
    encoder: str | None = None,
    any_encoder: bool = False,
    beam: int = 1,
    survivors: int = 1,
    device: str = "cpu",
    utterances: int = 128,
    calibration: int = 16,
    shard: str = "0/1",
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Compress frame features or audio to .emq files and return the manifest that lists them.

    An interrupted run goes on where it was: files that the manifest lists, made with these settings, are left alone.
    Every file is written whole or not at all.

    Args:
        input: Folder of .npy, .safetensors or audio files (with subfolders), or one such file.
        output: Folder of the .emq files, manifest.csv and settings.json.
        codec: Checkpoint of a trained codec.
        lmbda: Lagrange multiplier in squared feature units per bit; larger means fewer bits. 5 without a target.
        bits_per_frame: Target rate instead of a fixed lambda.
        similarity: Target cosine similarity instead of a fixed lambda.
        tolerance: Largest miss of a target; 1 bit a frame or 0.01.
        scope: Whether every utterance shall meet the target or the corpus as a whole, at one lambda.
        encoder: Model directory or public name of an emotion2vec model; needed for audio.
        any_encoder: Whether the codec may have been trained on features of another encoder.
        beam: Paths that the search keeps within a frame; 1 for greedy search.
        survivors: Paths of coarse codes that the search keeps over time: 16 for look-ahead, which saves bits below five
            a frame, 1 for frame by frame.
        device: Device of search and encoder.
        utterances: Utterances coded side by side.
        calibration: Utterances, evenly spaced, from which the relation of rate and lambda is learnt for a target.
        shard: Part of the work of this job, as NUMBER/COUNT from 0/1; every part writes a manifest of its own.
        overwrite: Start afresh where the folder holds files of other settings.
        progress: Whether a progress bar is shown.

    Raises:
        FileNotFoundError: An input or the checkpoint is missing.
        ValueError: An argument is out of range, an input is bad, or the folder holds files of other settings.
    """
    target = _target(lmbda, bits_per_frame, similarity, tolerance)
    counts = {"beam": beam, "survivors": survivors, "utterances": utterances, "calibration": calibration}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    number, count = parse_shard(shard)
    every = find_sources(input)
    trained, wave_encoder, origin = _load(codec, encoder, any_encoder, device)
    trained.beam, trained.survivors = beam, survivors
    output.mkdir(parents=True, exist_ok=True)
    manifest = output / ("manifest.csv" if count == 1 else f"manifest.{number}-of-{count}.csv")
    run = _Run(trained, wave_encoder, output, manifest, 5.0 if lmbda is None else lmbda, target)
    run.digest, kept = _resume(output, manifest, run.settings(scope, origin), overwrite)
    if target:
        run.calibrate(every, calibration, scope)
    done = {row.file for row in kept}
    todo = [source for source in every[number::count] if f"{source.name}.emq" not in done]
    for batch in _batches(todo, utterances, progress):
        kept += run.write(batch)
    write_rows(manifest, kept, CompressedRow)
    return manifest


def _load(
    codec: Path, encoder: str | None, any_encoder: bool, device: str
) -> "tuple[ECVQ, FrameEncoder | None, Origin | None]":
    """Return the codec, the encoder and what it is, and check that they belong together."""
    from emoquant.codecs import load_codec

    trained = load_codec(codec, any_encoder=any_encoder).to(device)
    wave_encoder = _load_encoder(encoder, device) if encoder else None
    origin = wave_encoder.identify() if wave_encoder is not None else None
    require_origin(f"codec {codec}", trained.origin, origin)
    return trained, wave_encoder, origin


def _load_encoder(model: str, device: str) -> "FrameEncoder":
    from emoquant.encoders import Emotion2Vec

    return Emotion2Vec(model).to(device).eval()


class _Run:
    """What all batches of a run share."""

    def __init__(
        self,
        codec: "RealBits",
        encoder: "FrameEncoder | None",
        output: Path,
        manifest: Path,
        lmbda: float,
        target: "Target | None",
    ) -> None:
        self.codec, self.encoder, self.output, self.manifest = codec, encoder, output, manifest
        self.lmbda, self.target = lmbda, target
        self.digest = ""
        self.curve: Curves | None = None

    def settings(self, scope: str, origin: Origin | None) -> dict[str, object]:
        """What the files of a run must have in common; left out is what has its plain value."""
        search = {name: getattr(self.codec, name) for name in ("beam", "survivors") if getattr(self.codec, name) > 1}
        return {
            "codec": self.codec.fingerprint().hex(),
            "lmbda": None if self.target else self.lmbda,
            "target": self.target._asdict() if self.target else None,
            "scope": scope if self.target else None,
            "encoder": origin.stored() if origin else None,
        } | search

    def calibrate(self, sources: Sequence[Source], count: int, scope: str) -> None:
        from emoquant.codecs.rate_curves import choose, lmbda_grid, sweep

        assert self.target is not None
        count = min(count, len(sources))
        chosen = [sources[i * len(sources) // count] for i in range(count)]
        curve = sweep(self.codec, read_features(chosen, self.encoder), lmbda_grid(self.codec, 48))
        if scope == "utterance":
            self.curve = curve
        else:
            self.lmbda = choose(curve.pooled(), self.target)[0]

    def write(self, sources: Sequence[Source]) -> list[CompressedRow]:
        """Compress a batch: first its files, then its rows."""
        from emoquant.codecs.bitstream import header_bytes
        from emoquant.codecs.rate_curves import similarity

        features = read_features(sources, self.encoder)
        for source, each in zip(sources, features, strict=True):
            if each.shape[1] != self.codec.dim:
                raise ValueError(
                    f"{source}: features of {each.shape[1]} dimensions, the codec was trained on "
                    f"{self.codec.dim}; use its encoder"
                )
        found = self._encode(features)
        rows = []
        coded = self.codec.write(found.encodings)
        for i, (source, data, encoding) in enumerate(zip(sources, coded, found.encodings, strict=True)):
            write_whole(place_output(self.output, source.name, ".emq"), data)
            frames = len(encoding.codes)
            rows.append(
                CompressedRow(
                    f"{source.name}.emq",
                    frames,
                    float(encoding.bits.double().sum()),
                    len(data) - header_bytes(frames),
                    len(data),
                    encoding.lmbda,
                    similarity(features[i].to(encoding.features.device), encoding.features),
                    str(int(found.reached[i])) if self.curve is not None else "",
                    self.digest,
                )
            )
        append_rows(self.manifest, rows)
        return rows

    def _encode(self, features: "Sequence[Tensor]") -> "Controlled":
        from emoquant.codecs.rate_control import Controlled, encode_by_curve

        if self.curve is not None and self.target is not None:
            return encode_by_curve(self.codec, features, self.target, self.curve, most=6)
        count = len(features)
        return Controlled(self.codec.encode_batch(features, self.lmbda), [1] * count, [True] * count)


def _target(
    lmbda: float | None, bits_per_frame: float | None, similarity: float | None, tolerance: float | None
) -> "Target | None":
    from emoquant.codecs.rate_curves import Target

    if sum(value is not None for value in (lmbda, bits_per_frame, similarity)) > 1:
        raise ValueError("lmbda, bits_per_frame and similarity exclude each other; give one of them")
    if bits_per_frame is not None:
        return Target(bits_per_frame, "bits_per_frame", 1.0 if tolerance is None else tolerance).checked()
    if similarity is not None:
        return Target(similarity, "similarity", 0.01 if tolerance is None else tolerance).checked()
    return None


def _resume(
    output: Path, manifest: Path, settings: Mapping[str, object], overwrite: bool
) -> tuple[str, list[CompressedRow]]:
    """Return the settings' digest and the rows of an interrupted run with these settings whose files are there.

    The first job that overwrites names the new settings; what the others left with the old ones is told by its rows.
    """
    path = output / "settings.json"
    text = json.dumps(settings, indent=2) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    same = path.exists() and path.read_text(encoding="utf-8") == text
    if path.exists() and not same and not overwrite:
        raise ValueError(
            f"{output} holds files of other settings (see {path}): choose another folder or --overwrite=true"
        )
    if not same:
        _remove_others(output, manifest)
    rows = read_rows(manifest, CompressedRow) if same else []
    kept = [row for row in rows if row.settings == digest and (output / row.file).is_file()]
    write_rows(manifest, kept, CompressedRow)
    write_whole(path, text.encode())
    return digest, kept


def _remove_others(output: Path, manifest: Path) -> None:
    """Remove manifests of another division of the work: no job of this one rewrites them, and their files are old."""
    division = re.compile(r"manifest(?:\.\d+(-of-\d+))?\.csv")
    mine = division.fullmatch(manifest.name)
    for path in output.glob("manifest*.csv"):
        found = division.fullmatch(path.name)
        if mine and found and found[1] != mine[1]:
            path.unlink(missing_ok=True)


def _batches(sources: Sequence[Source], most: int, progress: bool) -> Iterator[list[Source]]:
    from tqdm import tqdm

    with tqdm(total=len(sources), unit="utt", desc="compress", disable=not progress) as bar:
        for first in range(0, len(sources), most):
            batch = list(sources[first : first + most])
            yield batch
            bar.update(len(batch))
