"""``emoquant decompress``: ``.emq`` files back to frame features."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from emoquant.commands.sources import find_files, place_output
from emoquant.files import write_whole

if TYPE_CHECKING:
    from emoquant.codecs.real_bits import RealBits


def decompress(
    input: Path,
    output: Path,
    codec: Path,
    device: str = "cpu",
    utterances: int = 128,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Turn .emq files back to frame features, one .npy file (T, D) float32 each, and return their folder.

    Features that are there already are left alone, so that an interrupted run goes on where it was; every file is
    written whole or not at all.

    Args:
        input: Folder of .emq files (with subfolders), or one file.
        output: Folder of the .npy files.
        codec: Checkpoint of the codec that compressed them.
        device: Device of the codec.
        utterances: Utterances decoded side by side.
        overwrite: Decode files whose features are there already.
        progress: Whether a progress bar is shown.

    Raises:
        FileNotFoundError: An input or the checkpoint is missing.
        ValueError: A file is no .emq file, damaged, truncated, or of another codec; the message names it.
    """
    from tqdm import tqdm

    from emoquant.codecs import load_codec

    if utterances < 1:
        raise ValueError(f"utterances must be at least 1, got {utterances}")
    files = find_files(input, [".emq"])
    trained = load_codec(codec).to(device)
    output.mkdir(parents=True, exist_ok=True)
    places = [place_output(output, relative.with_suffix(""), ".npy") for _, relative in files]
    todo = [(path, place) for (path, _), place in zip(files, places, strict=True) if overwrite or not place.exists()]
    with tqdm(total=len(todo), unit="utt", desc="decompress", disable=not progress) as bar:
        for first in range(0, len(todo), utterances):
            batch = todo[first : first + utterances]
            _write(trained, batch)
            bar.update(len(batch))
    return output


def _write(codec: "RealBits", batch: Sequence[tuple[Path, Path]]) -> None:
    import numpy as np

    from emoquant.codecs.bitstream import BitstreamError

    data = []
    for path, _ in batch:
        data.append(path.read_bytes())
        try:
            codec.check(data[-1])
        except BitstreamError as error:
            raise BitstreamError(f"{path}: {error}") from error
    for (_, place), features in zip(batch, codec.decompress_batch(data), strict=True):
        content = BytesIO()
        np.save(content, features.cpu().numpy())
        write_whole(place, content.getvalue())
