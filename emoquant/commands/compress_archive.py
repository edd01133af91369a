"""The archive that ``emoquant compress`` writes: all utterances of a run in one ``.emq`` file, whole or not at all."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from emoquant.codecs.archive import check_names, write_archive
from emoquant.codecs.bitstream import Packet, parse
from emoquant.commands.compress_folder import Made
from emoquant.commands.sources import Source


class CompressedArchive:
    """What :class:`~emoquant.commands.compress_folder.CompressedFolder` is for many files, for one file of them all.

    Args:
        path: The file.
        fingerprint: Fingerprint of the codec.
        settings: What its utterances have in common, as primitives; what is None is left out.
        division: Number of this job's share, and their count, which must be 1.

    Raises:
        ValueError: The work is divided.
    """

    def __init__(
        self, path: Path, fingerprint: bytes, settings: Mapping[str, object], division: tuple[int, int]
    ) -> None:
        if division[1] != 1:
            raise ValueError(
                f"{path} is one archive, which cannot be written in parts: name a folder, or leave out shard"
            )
        self.path, self.fingerprint = path, fingerprint
        self.settings = {name: value for name, value in settings.items() if value is not None and name != "codec"}
        self._packets: list[Packet] = []
        self._names: list[str] = []

    def open(self, sources: Sequence[Source], overwrite: bool) -> list[Source]:
        """Return what is to be coded: everything.

        Args:
            sources: All inputs.
            overwrite: Whether an archive that is there is replaced.

        Raises:
            ValueError: It is there, or a name is too long for an archive.
        """
        if self.path.exists() and not overwrite:
            raise ValueError(f"{self.path} is there: choose another name or --overwrite=true")
        check_names([str(source.name) for source in sources], len(sources))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return list(sources)

    @staticmethod
    def common_lmbda(choose: Callable[[], float]) -> float:
        """Return the lambda of the corpus as a whole, which ``choose`` finds."""
        return choose()

    def write(self, batch: Sequence[Made]) -> None:
        """Take a batch; it is kept until the end."""
        for made in batch:
            self._packets.append(parse(made.data)._replace(fingerprint=self.fingerprint))
            self._names.append(str(made.source.name))

    def close(self) -> Path:
        """Write the archive and return its path."""
        write_archive(self.path, self._packets, self._names, self.settings)
        return self.path
