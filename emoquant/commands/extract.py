"""The command ``extract``: frame features of a corpus, put into the feature store before they are needed."""

from pathlib import Path

from emoquant.data.extraction import extract_corpora
from emoquant.storage.runs import RUNS, Begun, begun_in
from emoquant.study.corpus import open_data


def extract(
    data: str | None = None,
    encoder: str | None = None,
    folder: Path = Path(RUNS),
    device: str = "auto",
    seconds_per_batch: float = 60.0,
    num_workers: int = 2,
    shard: str | None = None,
    verify: bool = False,
    cache_dir: str | None = None,
) -> Path:
    """Put the frame features of a corpus into the feature store.

    Started by `torchrun ... -m emoquant extract` every process encodes its share on its own device; jobs of an array
    take their shares by --shard. An interrupted run goes on where it was.

    Args:
        data: The corpus: a shipped name, a YAML or a CSV; what the folder was begun with by default.
        encoder: The encoder: a name on a hub, a folder or a YAML.
        folder: Folder of runs that remembers data and encoder.
        device: auto (a CUDA device if there is one) or a device of torch.
        seconds_per_batch: Bound of a batch: utterances times the longest of them, in seconds of audio.
        num_workers: Threads that read audio while the encoder computes.
        shard: Part of the work of this job, as NUMBER/COUNT from 0/1; all of it by default.
        verify: Compare every entry that is there already with its checksum first.
        cache_dir: Folder of the store; that of the data by default.

    Returns:
        Folder of the features.

    Raises:
        FileNotFoundError: The corpus or the encoder is not where it should be.
        ValueError: An argument is out of range, or recordings cannot be read.
    """
    before = begun_in(folder) or Begun()
    module = open_data(Begun(data or before.data, encoder or before.encoder))
    place = extract_corpora(
        module.corpora, module.encoder, cache_dir or module.cache_dir, module.precision, device, seconds_per_batch,
        num_workers, shard, verify,
    )  # fmt: skip
    print(place)
    return place
