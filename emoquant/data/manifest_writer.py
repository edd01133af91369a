"""Writing of a manifest for a folder of audio files, with emotions and speakers from names of files and folders."""

import csv
import hashlib
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import soundfile

from emoquant.audio.loading import SHORTEST, AudioError, audio_seconds
from emoquant.data.name_pattern import NamePattern
from emoquant.data.records import FIELDS, SPLIT_NAMES, option
from emoquant.data.sheet import stands_for
from emoquant.labels import SPELLINGS, canonical_emotion
from emoquant.storage.files import write_whole

#: Endings of files that are taken.
_AUDIO = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
#: Endings of audio that is not read.
_FOREIGN = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".amr", ".3gp", ".ape", ".ac3", ".mka", ".sph", ".raw", ".pcm")
#: Files of a reason, and names of a kind, that a summary shows.
_SHOWN = 3


class ManifestSummary(NamedTuple):
    """Summarise a manifest that was written; ``print`` shows the summary.

    Attributes:
        output: The CSV file.
        root: Folder that the paths in it are relative to.
        seconds: Length of all its files together.
        speakers: Utterances of each speaker; empty if the names contain no speakers.
        emotions: Utterances of each emotion, by canonical name.
        rates: Utterances of each sampling rate in Hz.
        left_out: Files and folders that were left out, by the reason.
        unknown: Unknown names in the place of an emotion, with the number of files.
    """

    output: Path
    root: Path
    seconds: float
    speakers: dict[str, int]
    emotions: dict[str, int]
    rates: dict[int, int]
    left_out: dict[str, list[str]]
    unknown: dict[str, int]

    @property
    def utterances(self) -> int:
        """Lines of the manifest, one a file."""
        return sum(self.emotions.values())

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        speakers = f"{len(self.speakers)} ({_counts(self.speakers)})" if self.speakers else "none is named"
        lines = [
            f"{self.output}: {self.utterances} utterances, {minutes} min {seconds:02d} s",
            f"speakers: {speakers}",
            f"emotions: {_counts(self.emotions, len(self.emotions))}",
            f"sampling rates: {_counts({f'{rate} Hz': count for rate, count in self.rates.items()})}",
        ]
        if os.path.abspath(self.root) != os.path.abspath(self.output.parent):
            lines.append(f"paths are relative to another folder: read it with {option('root', str(self.root))}")
        return "\n".join(lines + _complaints(self.left_out, self.unknown))


def write_manifest(
    folder: str | Path,
    pattern: str | None = None,
    output: str | Path | None = None,
    emotions: dict[Any, str] | None = None,
    overwrite: bool = False,
) -> ManifestSummary:
    """Write a CSV file that lists the audio files of a folder with their emotions, for a ``ManifestCorpus``.

    Without a pattern the emotion is the name of a folder, the innermost one that is an emotion's. Of the other
    folders, one that is called like a split (``train``, ``dev``, ``test``) gives the split, and the one above the
    emotion, or else below it, the speaker: ``angry/1.wav``, ``anna/angry/1.wav``, ``train/angry/anna/1.wav``.

    Copies of a file that is listed are left out; of copies under several emotions all are.

    Args:
        folder: Folder of the corpus; its subfolders are searched, links to folders are not followed.
        pattern: Where emotion, speaker and other fields stand in the path of a file, such as
            ``{speaker}/{emotion}_*.wav`` (:class:`~emoquant.data.name_pattern.NamePattern`); fields that a manifest
            does not know become further columns.
        output: The CSV file; ``utterances.csv`` in the folder by default.
        emotions: Names of emotions in the paths that :mod:`emoquant.labels` does not know, with what they mean,
            ``{"W": "angry"}``.
        overwrite: Whether a file that is there is replaced.

    Returns:
        What was written and what was left out, and why.

    Raises:
        FileNotFoundError: There is no such folder.
        FileExistsError: The output is there already.
        ValueError: No file can be listed, or the pattern or the emotions are wrong; nothing is written.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; expected one with audio files")
    target = Path(output) if output is not None else root / "utterances.csv"
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} is there already; name another output, or set overwrite")
    listing = _Listing(root, NamePattern(pattern) if pattern is not None else None, emotions or {})
    records = listing.records()
    if not records:
        expected = f"fits the pattern {pattern!r}" if pattern is not None else "lies in a folder of an emotion's name"
        advice = "give a pattern such as '{speaker}/{emotion}_*.wav'" if pattern is None else "correct the pattern"
        complaints = _complaints(listing.left_out, listing.unknown) or ["it holds no audio file"]
        raise ValueError("\n".join([f"{root}: no audio file {expected} and can be read; {advice}", *complaints]))
    found = {field: None for record in records for field in record}
    columns = [*(field for field in FIELDS if field in found), *(field for field in found if field not in FIELDS)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_whole(target, text.getvalue().encode())
    speakers = Counter(record["speaker"] for record in records if record.get("speaker"))
    feelings = Counter(record["emotion"] for record in records)
    rates = Counter(listing.rates[record["path"]] for record in records)
    seconds = sum(listing.seconds[record["path"]] for record in records)
    return ManifestSummary(
        *(target, root, seconds, dict(sorted(speakers.items())), dict(sorted(feelings.items()))),
        *(dict(sorted(rates.items())), dict(listing.left_out), dict(listing.unknown.most_common())),
    )


class _Listing:
    """The audio files of a folder with what their paths say, and those that are left out."""

    def __init__(self, root: Path, pattern: NamePattern | None, emotions: Mapping[object, str]) -> None:
        self.root, self.pattern = root, pattern
        self.emotions = {name: canonical_emotion(meant) for name, meant in emotions.items()}
        self.left_out: dict[str, list[str]] = defaultdict(list)
        self.unknown: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.rates: dict[str, int] = {}

    def records(self) -> list[dict[str, str]]:
        """Return the cells of every utterance, in the order of the paths."""
        records = []
        for path in self._files():
            fields = self.pattern.read(path) if self.pattern is not None else self._folders(path)
            if fields is None:
                self.left_out["not of the pattern"].append(path)
            elif (emotion := self._emotion(fields["emotion"])) is None:
                self.unknown[fields["emotion"]] += 1
                self.left_out["of an unknown emotion"].append(path)
            elif fields.get("split") and fields["split"].lower() not in SPLIT_NAMES:
                self.left_out[f"of a split that is none of {', '.join(SPLIT_NAMES)}"].append(path)
            elif self._sound(path):
                records.append({**fields, "path": path, "emotion": emotion})
        return self._without_copies(records)

    def _files(self) -> Iterator[str]:
        """Yield the audio files, sorted, as paths below the root."""
        for folder, below, names in os.walk(self.root):
            place = Path(folder).relative_to(self.root)
            below[:] = sorted(name for name in below if not name.startswith("."))
            linked = [name for name in below if (Path(folder) / name).is_symlink()]
            self._leave(linked, place, "links to folders (copy what they lead to)")
            stems: dict[str, str] = {}
            for name in sorted(names):
                suffix = os.path.splitext(name)[1].lower()
                if suffix in _FOREIGN:
                    self._leave([name], place, "in a format that is not read (convert them to wav or flac)")
                elif suffix in _AUDIO and not name.startswith("."):
                    first = stems.setdefault(os.path.splitext(name)[0], name)
                    if first != name:
                        self._leave([name], place, "of the same name as a listed file of another format")
                    elif "\\" in name or name != name.strip() or not (place / name).as_posix().isprintable():
                        self._leave([name], place, "with a backslash, a line break or an outer space in the name")
                    else:
                        yield (place / name).as_posix()

    def _leave(self, names: Sequence[str], place: Path, reason: str) -> None:
        if names:
            self.left_out[reason] += [(place / name).as_posix() for name in names]

    def _folders(self, path: str) -> dict[str, str]:
        """Return the fields that the folders of a path give; the emotion is the last folder's name if none is known."""
        folders = path.split("/")[:-1]
        named = [place for place, folder in enumerate(folders) if self._emotion(folder) is not None]
        if not named:
            return {"emotion": folders[-1] if folders else ""}
        place = named[-1]
        parts = {name: SPLIT_NAMES.get(name.lower(), "") for name in folders}
        above = [name for name in folders[:place] if not parts[name]]
        below = [name for name in folders[place + 1 :] if not parts[name]]
        split = next(filter(None, parts.values()), "")
        fields = {"emotion": folders[place], "speaker": (above[-1:] or below[:1] or [""])[0], "split": split}
        return {field: cell for field, cell in fields.items() if cell}

    def _emotion(self, name: str) -> str | None:
        for given, meant in self.emotions.items():
            if stands_for(given, name):
                return meant
        try:
            return canonical_emotion(name)
        except ValueError:
            return None

    def _sound(self, path: str) -> bool:
        """Note length and rate of a file; return whether it can be read by its header."""
        try:
            seconds = audio_seconds(self.root / path)
            rate = soundfile.info(str(self.root / path)).samplerate
        except (AudioError, OSError, soundfile.LibsndfileError) as error:
            reason = re.split("[:;(]", str(error).removeprefix(f"{self.root / path}: "))[0].strip()
            self.left_out[f"that cannot be read ({reason})"].append(path)
            return False
        if seconds * 16_000 < SHORTEST:
            self.left_out[f"shorter than {SHORTEST / 16:g} ms"].append(path)
            return False
        self.seconds[path], self.rates[path] = seconds, rate
        return True

    def _without_copies(self, records: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        sizes: dict[int, list[dict[str, str]]] = defaultdict(list)
        for record in records:
            sizes[(self.root / record["path"]).stat().st_size].append(record)
        out = set()
        for alike in sizes.values():
            contents: dict[bytes, list[dict[str, str]]] = defaultdict(list)
            for record in alike if len(alike) > 1 else ():
                with (self.root / record["path"]).open("rb") as file:
                    contents[hashlib.file_digest(file, "blake2b").digest()].append(record)
            for copies in contents.values():
                contradicting = len({record["emotion"] for record in copies}) > 1
                reason = "that are one recording under several emotions" if contradicting else "copies of a listed file"
                for record in copies[0 if contradicting else 1 :]:
                    self.left_out[reason].append(record["path"])
                    out.add(record["path"])
        return [record for record in records if record["path"] not in out]


def _counts(numbers: Mapping[str, int], shown: int = 2 * _SHOWN) -> str:
    """Return names with their counts, the first of many."""
    more = f", ... {len(numbers) - shown} more" if len(numbers) > shown else ""
    return ", ".join(f"{name} {count}" for name, count in list(numbers.items())[:shown]) + more


def _complaints(left_out: Mapping[str, Sequence[str]], unknown: Mapping[str, int]) -> list[str]:
    """Return the lines that say what was left out and why."""
    lines = []
    for reason, files in left_out.items():
        more = ", ..." if len(files) > _SHOWN else ""
        lines.append(f"left out, {reason}: {len(files)} ({', '.join(files[:_SHOWN])}{more})")
    if unknown:
        first = next(iter(unknown)) or "NAME"
        lines.append(
            f"unknown emotions: {_counts({repr(name): count for name, count in unknown.items()}, 20)}; known are "
            f"{', '.join(SPELLINGS)} and other spellings. Say what they mean, emotions: {{{first}: angry}}, or give "
            "another pattern"
        )
    return lines
