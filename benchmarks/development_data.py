"""Makes the speech that configs/data/development*.yaml read from public downloads; docs/data.md says which.

    python benchmarks/development_data.py --emodb EMODB --ravdess RAVDESS --nemo NEMO --kemo KEMO

A corpus that is not named is left out. Everything becomes 16 kHz mono FLAC under ../shared/data, with one metadata.csv.
"""

import argparse
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from emoquant.audio.loading import read_audio
from emoquant.data import RAVDESS, EmoDB
from emoquant.data.folders import read_text

RATE = 16_000
#: The speakers that the figures are of; splits are drawn by these names.
SPEAKERS = {
    "emodb": {f"emo{n}" for n in ("03", "08", "09", "11", "12", "14", "15", "16")},
    "ravdess": {f"rav{n:02}" for n in range(1, 25)} - {f"rav{n:02}" for n in (1, 4, 11, 18, 19, 24)},
    "nemo": {f"nemo{name}0" for name in ("EB", "IC", "KD", "MP", "SM", "TP", "WR")},
    "kemo": {f"kemo_{n}" for n in ("ema", "emg", "emh", "nea", "neb", "ned", "nee", "nek", "nel", "nem", "nen")},
}


class Clip(NamedTuple):
    """A recording as its corpus has it: file, speaker, emotion, words, language, share of listeners who heard it."""

    path: Path
    speaker: str
    emotion: str
    text: str
    language: str
    rating: str = ""


def emodb(root: Path, ratings: Path | None) -> Iterator[Clip]:
    """EmoDB: ROOT/wav/03a01Fa.wav, and the table of its listening test (`Nr. Satz erkannt natuerlich`)."""
    lines = [line.split() for line in read_text(ratings).splitlines()] if ratings else []
    rated = {line[1].removesuffix(".wav"): line[2].replace(",", ".") for line in lines[1:] if len(line) > 2}
    for each in EmoDB(str(root)).utterances():
        rating = f"{float(rated[each.id]):g}" if each.id in rated else ""
        yield Clip(each.path, f"emo{each.speaker}", each.emotion, each.text, "de", rating)


def ravdess(root: Path, _: Path | None) -> Iterator[Clip]:
    """RAVDESS, speech: ROOT/Actor_01/03-01-06-01-02-01-01.wav."""
    for each in RAVDESS(str(root)).utterances():
        yield Clip(each.path, each.speaker.replace("Actor_", "rav"), each.emotion, each.text, "en")


def nemo(root: Path, _: Path | None) -> Iterator[Clip]:
    """nEMO: ROOT/data.tsv and ROOT/samples/EB0_anger_1.wav."""
    names = {"anger": "angry", "happiness": "happy", "sadness": "sad", "surprised": "surprise"}
    with (root / "data.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            path, emotion = root / "samples" / row["file_id"], row["emotion"]
            yield Clip(path, f"nemo{row['speaker_id'].strip()}", names.get(emotion, emotion), row["raw_text"], "pl")


def kemo(root: Path, _: Path | None) -> Iterator[Clip]:
    """emotiontts_open_db: of every hundred of a speaker, which are of one emotion, the first five."""
    for path in sorted((root / "Dataset/SpeechCorpus/Emotional").glob("*-to-emotional/*/wav/*.wav")):
        name = re.fullmatch(r"([a-z]+)(\d{5})", path.stem)
        hundred, place = divmod(int(name[2]) - 1, 100) if name else (9, 9)
        if name and hundred < 4 and place < 5:
            yield Clip(path, f"kemo_{name[1]}", ("neutral", "happy", "angry", "sad")[hundred], "", "ko")


CORPORA: dict[str, Callable[[Path, Path | None], Iterator[Clip]]] = {
    "emodb": emodb, "ravdess": ravdess, "nemo": nemo, "kemo": kemo,
}  # fmt: skip
FIELDS = [
    "path", "id", "corpus", "speaker", "language", "emotion", "text", "speech_start", "speech_end", "rating_recognised",
]  # fmt: skip


def span(samples: np.ndarray) -> tuple[float, float]:
    """Return where speech begins and ends, in seconds: frames of 20 ms within 35 dB of the loudest."""
    size = RATE // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    level = np.sqrt((frames.astype(np.float64) ** 2).mean(1))
    loud = np.flatnonzero(level >= level.max() * 10 ** (-35 / 20))
    return round(loud[0] * 0.02, 2), round((loud[-1] + 1) * 0.02, 2)


def convert(clip: Clip, corpus: str, out: Path) -> list[object]:
    """Write a clip as 16 kHz mono, turned down only where it would reach full scale, and return its row."""
    samples = read_audio(clip.path, sample_rate=RATE).numpy()
    samples = samples * min(1.0, 0.999 / float(np.abs(samples).max()))
    place = Path("audio") / corpus / clip.speaker / f"{clip.path.stem}.flac"
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(out / place, samples, RATE, subtype="PCM_16")
    start, end = span(samples)
    what = [corpus, clip.speaker, clip.language, clip.emotion, clip.text]
    return [place.as_posix(), f"{corpus}_{clip.path.stem}", *what, start, end, clip.rating]


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert the corpora that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for option, read in zip(("--emodb", "--ravdess", "--nemo", "--kemo"), CORPORA.values(), strict=True):
        parser.add_argument(option, type=Path, metavar="ROOT", help=read.__doc__)
    parser.add_argument("--emodb-ratings", type=Path, metavar="FILE", help="table of EmoDB's listening test")
    parser.add_argument("--out", type=Path, default=Path("../shared/data"), help="folder to write (%(default)s)")
    options = parser.parse_args(arguments)
    rows = []
    for corpus, read in CORPORA.items():
        if root := getattr(options, corpus):
            clips = [clip for clip in read(root, options.emodb_ratings) if clip.speaker in SPEAKERS[corpus]]
            if not clips:
                parser.error(f"{root}: no recording of {corpus}; {read.__doc__}")
            rows += [convert(clip, corpus, options.out) for clip in clips]
            print(f"{corpus}: {len(clips)} recordings of {len({clip.speaker for clip in clips})} speakers", flush=True)
    if not rows:
        parser.error("name at least one corpus")
    with (options.out / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])


if __name__ == "__main__":
    main()
