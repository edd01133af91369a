"""Emotional speech that the project renders itself, with espeak-ng: the default that needs no download.

It is a stand-in. A formant synthesizer whose rate, pitch, pitch range and loudness are set by rules carries exactly the
cues that the rules name; voice quality, articulation and facial gesture are missing. Figures on it say that the
pipeline works, not how people express emotions.

The rules follow the directions on which the literature on vocal emotion agrees:

========  ======  ======  ============  ========  =====================================================================
emotion   rate    pitch   pitch range   loudness  source
========  ======  ======  ============  ========  =====================================================================
angry     faster  higher  wider         louder    Murray & Arnott 1993 (table I); Banse & Scherer 1996 (hot anger)
happy     faster  higher  much wider    louder    Murray & Arnott 1993 (table I); Burkhardt & Sendlmeier 2000
sad       slower  lower   narrower      softer    Murray & Arnott 1993 (table I); Banse & Scherer 1996 (sadness)
surprise  faster  much    widest        louder    Cahn 1990 (Affect Editor); Schröder 2001 (review of the rules)
                  higher
neutral   (the synthesizer's own defaults, with a flatter melody)
========  ======  ======  ============  ========  =====================================================================

* J. E. Cahn: The generation of affect in synthesized speech. J. American Voice I/O Society 8, 1990, 1-19.
* I. R. Murray, J. L. Arnott: Toward the simulation of emotion in synthetic speech: a review of the literature on human
  vocal emotion. J. Acoust. Soc. Am. 93 (2), 1993, 1097-1108.
* R. Banse, K. R. Scherer: Acoustic profiles in vocal emotion expression. J. Personality and Social Psychology 70 (3),
  1996, 614-636.
* F. Burkhardt, W. F. Sendlmeier: Verification of acoustical correlates of emotional speech using formant-synthesis.
  ISCA Workshop on Speech and Emotion, Newcastle, Northern Ireland, 2000, 151-156.
* M. Schröder: Emotional speech synthesis: a review. Eurospeech, Aalborg, 2001, 561-564.
"""

import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.audio import espeak
from emoquant.console.progress import progress
from emoquant.data.base import Corpus, Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.sentences import SENTENCES
from emoquant.data.splits import split_by_group


class Prosody(NamedTuple):
    """Settings of espeak-ng for an emotion: words a minute, base pitch and pitch range (0 to 99), volume (0 to 200)."""

    rate: int
    pitch: int
    range: int
    volume: int


#: Volumes stay below 105, where the limiter of espeak-ng sets in.
PROSODY = {
    "angry": Prosody(205, 55, 75, 97),
    "happy": Prosody(190, 68, 85, 75),
    "neutral": Prosody(165, 45, 35, 60),
    "sad": Prosody(125, 30, 12, 36),
    "surprise": Prosody(180, 80, 92, 78),
}

#: Every setting is varied per utterance by up to this share, so that an emotion is not a single point.
VARIATION = 0.08

VOICES = ("en-us", "en-us+f3", "en-us+f5", "en-us+m3")

_LIMITS = Prosody(450, 99, 99, 200)


class Timings(NamedTuple):
    """Exact times of a rendered utterance: label, start and end in seconds; ``"_"`` is a pause."""

    phonemes: list[tuple[str, float, float]]
    words: list[tuple[str, float, float]]


class RenderedCorpus(Corpus):
    """Own sentences in five emotions by several voices of espeak-ng, rendered once and cached.

    The folder holds ``wav/``, ``manifest.csv`` (readable by :class:`ManifestCorpus`), ``phonemes.jsonl`` and
    ``corpus.json`` with the settings and the SHA-256 of the whole. The same settings give the same bytes. Splits are by
    sentence, so that no sentence of the test was heard in training; the voices are the same in all splits.

    Args:
        voices: Voices of espeak-ng; each counts as a speaker.
        sentences: How many of the project's sentences to use, 3 to 300.
        takes: Renderings of each sentence, emotion and voice, each with other variations of the prosody.
        seed: Decides variations and split.
        cache_dir: The corpus lies in ``CACHE_DIR/rendered/KEY``.

    Raises:
        ValueError: A number is out of range or a voice is named twice.
    """

    def __init__(
        self,
        voices: Sequence[str] = VOICES,
        sentences: int = 40,
        takes: int = 1,
        seed: int = 0,
        cache_dir: str = ".cache/emoquant",
    ) -> None:
        if not 3 <= sentences <= len(SENTENCES):
            raise ValueError(f"sentences is {sentences}, expected 3 to {len(SENTENCES)}")
        if takes < 1 or not voices or len(set(voices)) < len(voices):
            raise ValueError(f"expected takes >= 1 and distinct voices, not takes={takes} and voices={list(voices)}")
        self.name = "rendered"
        self.voices, self.sentences, self.takes, self.seed = tuple(voices), sentences, takes, seed
        self.cache_dir = Path(cache_dir)

    @property
    def folder(self) -> Path:
        """Folder of the rendered corpus; its name is a digest of everything that shapes the audio."""
        engine = Path(espeak.__file__).read_bytes()
        plan = json.dumps([self._plan(), self._splits(), _espeak_version()]).encode()
        return self.cache_dir / "rendered" / hashlib.sha256(engine + plan).hexdigest()[:16]

    def prepare(self) -> None:
        """Render the corpus if its folder is not there; a rendering that was interrupted leaves no folder.

        Raises:
            RuntimeError: espeak-ng is missing or refused a voice; the message says what to install.
        """
        folder = self.folder
        if (folder / "corpus.json").exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            self._render(partial)
            self._describe(partial)
            if folder.exists() and not (folder / "corpus.json").exists():
                shutil.rmtree(folder)  # a damaged one
            partial.rename(folder)
        except OSError:
            if not (folder / "corpus.json").exists():  # another process may have finished the same rendering first
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances in the order of rendering; see the base class."""
        folder = self.folder
        if not (folder / "corpus.json").exists():
            raise FileNotFoundError(f"{folder}: the corpus is not rendered yet; call prepare() first")
        return ManifestCorpus(str(folder / "manifest.csv"), name=self.name).utterances()

    def timings(self) -> dict[str, Timings]:
        """Return the times of phonemes and words of every utterance, by id (the corpus must be rendered)."""
        with (self.folder / "phonemes.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        spans = [[[tuple(span) for span in row[kind]] for kind in Timings._fields] for row in rows]
        return {row["id"]: Timings(*span) for row, span in zip(rows, spans, strict=True)}

    def _cells(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield id, voice, emotion and sentence of every utterance in the order of rendering."""
        for voice in self.voices:
            for sentence in range(self.sentences):
                for emotion in PROSODY:
                    for take in range(self.takes):
                        yield f"{voice.replace('+', '-')}_{emotion}_{sentence:02d}_{take}", voice, emotion, sentence

    def _plan(self) -> list[dict[str, Any]]:
        plan = []
        for name, voice, emotion, sentence in self._cells():
            draw = random.Random(f"{self.seed}:{name}")
            values = [round(value * (1 + VARIATION * (2 * draw.random() - 1))) for value in PROSODY[emotion]]
            values = [min(value, limit) for value, limit in zip(values, _LIMITS, strict=True)]
            settings = dict(zip(Prosody._fields, values, strict=True))
            plan.append({"id": name, "voice": voice, "text": SENTENCES[sentence], **settings})
        return plan

    def _splits(self) -> list[str]:
        return split_by_group([str(sentence) for _, _, _, sentence in self._cells()], seed=self.seed)

    def _render(self, folder: Path) -> None:
        plan = self._plan()
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        command = [sys.executable, "-P", espeak.__file__, str(folder / "plan.json"), str(folder)]
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
            progress(len(plan), "rendering speech") as bar,
        ):
            for _ in process.stdout or ():
                bar.update()
            if process.wait() != 0:
                errors.seek(0)
                raise RuntimeError(f"rendering speech failed: {errors.read().strip()}")

    def _describe(self, folder: Path) -> None:
        """Write the manifest and, last, the description with the digest over every file."""
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "id", "emotion", "speaker", "text", "language", "split"])
            for (name, voice, emotion, sentence), split in zip(self._cells(), self._splits(), strict=True):
                writer.writerow([f"wav/{name}.wav", name, emotion, voice, SENTENCES[sentence], "en-US", split])
        settings = {"voices": self.voices, "sentences": self.sentences, "takes": self.takes, "seed": self.seed}
        description = {**settings, "espeak": _espeak_version(), "sha256": folder_digest(folder)}
        with (folder / "corpus.json").open("w", encoding="utf-8") as file:
            json.dump(description, file, indent=1)
            file.flush()
            os.fsync(file.fileno())


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over names and contents of a rendered folder, ``corpus.json`` left out."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "corpus.json"):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _espeak_version() -> str:
    try:
        return metadata.version("espeakng-loader")
    except metadata.PackageNotFoundError:
        raise RuntimeError(
            "espeak-ng is not installed, and without it there is no rendered speech; "
            "install it with: pip install espeakng-loader"
        ) from None
