"""Where the phones and their times come from: exact, from another aligner's files, or by an aligner of the project."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from emoquant.data.base import Corpus, Utterance
from emoquant.data.rendered import RenderedCorpus
from emoquant.voice.alignment.alignment import Alignment, Span
from emoquant.voice.alignment.sphinx import align_english
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.alignment.warping import align_by_voice


class Aligner(ABC):
    """Says when the phones of an utterance are spoken.

    Attributes:
        front_end: Name of the front end whose symbols the phones are (:mod:`emoquant.voice.text.text`).
    """

    front_end: str

    def open(self, corpora: Sequence[Corpus]) -> None:  # noqa: B027 (most aligners need nothing of the corpora)
        """Read what the aligner needs of the corpora, before the first :meth:`align`."""

    def stamp(self, utterance: Utterance) -> str:
        """Return a string that changes when the alignment of an utterance must be made again."""
        return f"{type(self).__name__}:{self.front_end}:{utterance.text}"

    @abstractmethod
    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return the alignment of an utterance with its samples at 16 kHz, ``(N,)``.

        Raises:
            ValueError: The utterance cannot be aligned; the message says why.
        """


class RenderedAligner(Aligner):
    """Exact times of the rendered corpus, from the synthesizer itself.

    Args:
        voice: Voice of espeak-ng whose front end gives the same phones for new texts.
    """

    def __init__(self, voice: str = "en-us") -> None:
        self.front_end = f"espeak:{voice}"
        self._known: dict[Path, Alignment] = {}

    def open(self, corpora: Sequence[Corpus]) -> None:
        """Read the times of the rendered corpora; see the base class."""
        for corpus in corpora:
            if isinstance(corpus, RenderedCorpus):
                timings = corpus.timings()
                for utterance in corpus.utterances():
                    phones, words = timings[utterance.id]
                    alignment = Alignment([Span(*row) for row in phones], [Span(*row) for row in words])
                    self._known[utterance.path] = alignment

    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return the exact times of an utterance; see the base class."""
        if utterance.path not in self._known:
            raise ValueError("no exact times: it is not of a rendered corpus; choose another aligner for this corpus")
        return self._known[utterance.path]


class TextGridAligner(Aligner):
    """TextGrids of the Montreal Forced Aligner (or another): ``FOLDER/[SPEAKER/]NAME.TextGrid``.

    ``NAME`` is the utterance's id or the stem of its audio file.

    Args:
        folder: Folder of the TextGrids.
        front_end: Front end that gives the same phones for new texts: ``dictionary:FILE`` with the dictionary that
            MFA was given, or ``cmu``, for which stress digits are dropped.
    """

    def __init__(self, folder: str, front_end: str) -> None:
        self.folder, self.front_end = Path(folder), front_end

    def stamp(self, utterance: Utterance) -> str:
        """Return a string that changes when the TextGrid does; see the base class."""
        found = self._find(utterance)
        return f"{super().stamp(utterance)}:{found.stat().st_mtime_ns if found else None}"

    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return what the utterance's TextGrid says; see the base class."""
        found = self._find(utterance)
        if found is None:
            raise ValueError(f"no TextGrid {utterance.id} or {utterance.path.stem} in {self.folder}; run the aligner")
        phones, words = read_textgrid(found)
        if self.front_end == "cmu":
            phones = [phone._replace(label=phone.label.rstrip("0123456789")) for phone in phones]
        return Alignment(phones, words)

    def _find(self, utterance: Utterance) -> Path | None:
        for name in (utterance.id, utterance.path.stem):
            for folder in (self.folder, self.folder / utterance.speaker):
                if (path := folder / f"{name}.TextGrid").is_file():
                    return path
        return None


class VoiceAligner(Aligner):
    """Comparison with espeak-ng's rendering of the text, by dynamic time warping; for every language of espeak-ng.

    Args:
        voice: Voice of espeak-ng that speaks the language (``"pl"``).
        rate: Words a minute of the rendering; near that of the corpus is best.
    """

    def __init__(self, voice: str = "en-us", rate: int = 170) -> None:
        self.front_end = f"espeak:{voice}"
        self.voice, self.rate = voice, rate

    def stamp(self, utterance: Utterance) -> str:
        """Return a string that changes with the rendering; see the base class."""
        return f"{super().stamp(utterance)}:{self.rate}"

    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return the warped times of the rendering; see the base class."""
        return align_by_voice(waveform, utterance.text, self.voice, self.rate)


class SphinxAligner(Aligner):
    """English by pocketsphinx, ARPAbet phones; rough, and in some utterances it finds nothing."""

    front_end = "cmu"

    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return the times that pocketsphinx finds; see the base class."""
        return align_english(waveform, utterance.text)
