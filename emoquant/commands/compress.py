"""``emoquant compress``: a folder of features or audio to ``.emq`` files, or to one archive."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emoquant.commands.compress_archive import CompressedArchive
from emoquant.commands.compress_folder import CompressedFolder
from emoquant.commands.sources import Source, find_sources, require_encoder
from emoquant.devices.sharding import parse_shard
from emoquant.storage.origin import Origin, require_origin

if TYPE_CHECKING:
    from emoquant.codecs.base import Codec
    from emoquant.codecs.rate_curves import Target
    from emoquant.codecs.real_bits import RealBits
    from emoquant.commands.compress_coding import Coding
    from emoquant.encoders.base import FrameEncoder

Scope = Literal["utterance", "corpus"]


def compress(
    input: Path,
    output: Path,
    codec: Path,
    lmbda: float | None = None,
    bits_per_frame: float | None = None,
    similarity: float | None = None,
    tolerance: float | None = None,
    scope: Scope = "utterance",
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
    allow_class: list[str] | None = None,
    trim: float | None = None,
    options: dict[str, Any] | None = None,
) -> Path:
    """Compress frame features or audio to .emq files, or to one archive, and return the manifest or the archive.

    An interrupted run goes on where it was: files that the manifest lists, made from the same input with these
    settings, are left alone, also where the work is divided otherwise now. Files of inputs that are no longer there
    stay, unless overwrite is set. An archive is made in one run. Every file is written whole or not at all.

    Args:
        input: Folder of .npy, .safetensors or audio files (with subfolders), or one such file.
        output: Folder of the .emq files, manifest.csv and settings.json; or, if it ends in .emq, one archive of all
            utterances, which is written at the end.
        codec: Checkpoint of a trained codec.
        lmbda: Lagrange multiplier in squared feature units per bit; larger means fewer bits. 5 without a target.
        bits_per_frame: Target rate instead of a fixed lambda.
        similarity: Target cosine similarity instead of a fixed lambda.
        tolerance: Largest miss of a target; 1 bit a frame or 0.01.
        scope: Whether every utterance shall meet the target or the corpus as a whole, at one lambda, which stays what
            it is when inputs are added.
        encoder: Model directory or public name of an emotion2vec model; needed for audio.
        any_encoder: Whether the codec may have been trained on features of another encoder.
        beam: Paths that the search keeps within a frame; 1 for greedy search.
        survivors: Paths of coarse codes that the search keeps over time: 16 for look-ahead, which saves bits below five
            a frame, 1 for frame by frame.
        device: Device of search and encoder.
        utterances: Utterances coded side by side at most; fewer where they are long.
        calibration: Utterances, evenly spaced, from which the relation of rate and lambda is learnt for a target.
        shard: Part of the work of this job, as NUMBER/COUNT from 0/1; every part writes a manifest of its own.
            An archive has no parts.
        overwrite: Start afresh, also where the folder holds files of other settings: what its manifests list goes.
            Needed to write over an archive.
        progress: Whether a progress bar is shown.
        allow_class: Modules outside the project whose classes the checkpoint may name; their code is run.
        trim: How many dB below its loudest 20 ms audio is cut at both ends, such as 30; nothing is cut by default.
        options: Settings of a transform codec other than its own: {form: stream} codes in blocks of 160 ms,
            {states: 4} searches faster. decompress needs the same.

    Raises:
        FileNotFoundError: An input or the checkpoint is missing.
        ValueError: An argument is out of range, an input is bad, the folder holds files of other settings, or the
            archive is there.
    """
    from emoquant.audio.trimming import require_threshold
    from emoquant.codecs import load_codec
    from emoquant.commands.compress_coding import Coding

    aim = _aim(lmbda, bits_per_frame, similarity, tolerance)
    require_threshold(trim)
    counts = {"beam": beam, "survivors": survivors, "utterances": utterances, "calibration": calibration}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    division = parse_shard(shard)
    sources = find_sources(input)
    loaded = load_codec(
        codec, beam=beam, survivors=survivors, any_encoder=any_encoder, allow_class=allow_class or (), options=options
    )
    trained, wave_encoder, origin = _placed(loaded, encoder, device, f"codec {codec}")
    require_encoder(sources, wave_encoder)
    folder: CompressedFolder | CompressedArchive
    settings = _settings(trained, aim, scope, calibration, origin, trim) | ({"options": options} if options else {})
    if output.suffix == ".emq" and not output.is_dir():
        folder = CompressedArchive(output, trained.fingerprint(), settings, division)
    else:
        folder = CompressedFolder(output, settings, division)
    todo = folder.open(sources, overwrite)
    coding = Coding(trained, wave_encoder, utterances, trim)
    if isinstance(aim, float):
        coding.lmbda = aim
    elif scope == "utterance":
        coding.target, coding.curve = aim, coding.measure(sources, calibration)
    else:
        coding.lmbda = folder.common_lmbda(lambda: coding.meet(aim, coding.measure(sources, calibration)))
    return _run(coding, folder, todo, progress)


def _aim(
    lmbda: float | None, bits_per_frame: float | None, similarity: float | None, tolerance: float | None
) -> "Target | float":
    """Return the target, or lambda where there is none."""
    from emoquant.codecs.bitstream import stored_lmbda
    from emoquant.codecs.rate_curves import Target

    if sum(value is not None for value in (lmbda, bits_per_frame, similarity)) > 1:
        raise ValueError("lmbda, bits_per_frame and similarity exclude each other; give one of them")
    if bits_per_frame is not None:
        return Target(float(bits_per_frame), "bits_per_frame", 1.0 if tolerance is None else float(tolerance)).checked()
    if similarity is not None:
        return Target(float(similarity), "similarity", 0.01 if tolerance is None else float(tolerance)).checked()
    chosen = 5.0 if lmbda is None else float(lmbda)
    stored_lmbda(chosen)
    return chosen


def _placed(
    codec: "Codec", encoder: str | None, device: str, name: str
) -> "tuple[RealBits, FrameEncoder | None, Origin | None]":
    """Return codec and encoder on a device, and the encoder's origin; check that they belong together."""
    from emoquant.codecs.real_bits import require_real_bits
    from emoquant.encoders import Emotion2Vec

    trained = require_real_bits(codec, "the .emq format").to(device)
    wave_encoder = Emotion2Vec(encoder).to(device).eval() if encoder else None
    origin = wave_encoder.identify() if wave_encoder is not None else None
    require_origin(name, trained.origin, origin)
    return trained, wave_encoder, origin


def _settings(
    codec: "RealBits", aim: "Target | float", scope: Scope, calibration: int, origin: Origin | None, trim: float | None
) -> dict[str, object]:
    """Return what the files of a folder must have in common; left out is what has its plain value."""
    fixed = isinstance(aim, float)
    search = {name: getattr(codec, name) for name in ("beam", "survivors") if getattr(codec, name, 1) > 1}
    return {
        "codec": codec.fingerprint().hex(),
        "lmbda": aim if isinstance(aim, float) else None,
        "target": None if isinstance(aim, float) else aim._asdict(),
        "scope": None if fixed else scope,
        "encoder": origin.stored() if origin else None,
        **({} if fixed else {"calibration": calibration}),
        **({} if trim is None else {"trim": trim}),
        **search,
    }


def _run(
    coding: "Coding", folder: CompressedFolder | CompressedArchive, sources: Sequence[Source], progress: bool
) -> Path:
    """Code and write utterances, batch after batch, and return the manifest or the archive."""
    from tqdm import tqdm

    with tqdm(total=len(sources), unit="utt", desc="compress", disable=not progress) as bar:
        for batch in coding.read(sources):
            folder.write(coding.code(batch))
            bar.update(len(batch))
    return folder.close()
