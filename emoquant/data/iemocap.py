"""IEMOCAP: dyadic sessions of ten actors, with the votes of several annotators for each utterance.

C. Busso et al.: IEMOCAP: interactive emotional dyadic motion capture database. Language Resources and Evaluation 42,
2008.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folders import check_ids, compare_count, read_text, required_folder
from emoquant.labels import canonical_emotion

_SOURCE = "IEMOCAP is given for research on request: https://sail.usc.edu/iemocap/"
_SUMMARY = re.compile(r"\[(\d+\.?\d*) - (\d+\.?\d*)\]\s+(Ses\d\d[FM]_\S+_[FM]X?X?\d+)\s+(\w+)\s+\[([^\]]*)")
_VOTE = re.compile(r"C-([A-Z])\d+:\s*(.*?)\s*\(")
_TEXT = re.compile(r"(Ses\d\d[FM]_\S+)\s+\[[\d.]+-[\d.]+\]:\s*(.*)")
#: The classes of most studies (excitement counts as happiness), and how many utterances have one of them.
_FOUR, _PUBLISHED = ("angry", "happy", "excited", "neutral", "sad"), 5_531
_NEUTRAL = {"neutral state": "neutral"}


class IEMOCAP(Corpus):
    """IEMOCAP in its folders ``Session1/dialog/EmoEvaluation``, ``.../transcriptions`` and ``Session1/sentences/wav``.

    The emotion is the majority's; where there is none (``xxx``) it is ``"unknown"``. Votes are those of the annotators
    (lines ``C-E..``); an annotator who named several emotions shares the vote among them. Actors' opinions of their own
    turns (``C-F..``, ``C-M..``) count only on request. The split is by session, which holds out speakers.

    Args:
        root: Folder that holds ``Session1`` to ``Session5``.
        test_session: Session that is the test split.
        validation_session: Session that is the validation split.
        self_reports: Whether actors' opinions of their own turns count as votes.
        excited_as_happy: Whether excitement is joined with happiness, as most studies do.

    Raises:
        ValueError: The sessions are out of range or the same.
    """

    def __init__(
        self,
        root: str,
        test_session: int = 5,
        validation_session: int = 4,
        self_reports: bool = False,
        excited_as_happy: bool = False,
    ) -> None:
        if test_session == validation_session or not {test_session, validation_session} <= set(range(1, 6)):
            raise ValueError(f"expected two sessions of 1 to 5, not {test_session} and {validation_session}")
        self.name = "iemocap"
        self.root = Path(root)
        self.self_reports, self.excited_as_happy = self_reports, excited_as_happy
        self._splits = {test_session: "test", validation_session: "validation"}

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances by session, dialogue and place in the evaluation file; see the base class."""
        found: list[Utterance] = []
        for session in range(1, 6):
            folder = required_folder(self.root / f"Session{session}", "the folders dialog and sentences", _SOURCE)
            evaluations = required_folder(folder / "dialog" / "EmoEvaluation", "an evaluation per dialogue", _SOURCE)
            files = sorted(path for path in evaluations.glob("Ses*.txt"))
            if not files:
                raise FileNotFoundError(f"{evaluations}: no evaluation; expected Ses0{session}F_impro01.txt and so on")
            for path in files:
                found += self._dialogue(session, folder, path)
        check_ids(self.name, found)
        compare_count(self.root, sum(u.emotion in _FOUR for u in found), _PUBLISHED, "utterances of four classes")
        return found

    def fold_group(self, utterance: Utterance) -> str:
        """Return the session of an utterance: its two speakers talk to each other."""
        return utterance.speaker[:5]

    def _dialogue(self, session: int, folder: Path, evaluation: Path) -> Iterator[Utterance]:
        dialogue = evaluation.stem
        texts = _texts(folder / "dialog" / "transcriptions" / f"{dialogue}.txt")
        wav = required_folder(folder / "sentences" / "wav" / dialogue, "a wav file per turn", _SOURCE)
        present, judged = {path.name for path in wav.iterdir()}, set[str]()
        for block in re.split(r"\n\s*\n", read_text(evaluation).replace("\r", "")):
            match = _SUMMARY.search(block)
            if match is None:
                continue
            name, emotion = match[3], match[4]
            if not name.startswith(f"{dialogue}_") or not name.startswith(f"Ses{session:02d}"):
                raise ValueError(
                    f"{evaluation} lies in Session{session} and names {name}, of another dialogue; move it"
                )
            if name in judged:
                raise ValueError(f"{evaluation} judges {name} twice; remove one")
            judged.add(name)
            if f"{name}.wav" not in present:
                raise FileNotFoundError(f"{wav / name}.wav: no such file, but {evaluation} names it; {_SOURCE}")
            try:
                label, votes, rated = self._canonical(emotion), self._votes(block), _ratings(match[5])
            except ValueError as error:
                raise ValueError(f"{evaluation}, utterance {name}: {error}") from None
            speaker = name[:5] + name.rsplit("_", 1)[1][0]
            split = self._splits.get(session, "train")
            path = wav / f"{name}.wav"
            yield Utterance(name, path, label, speaker, split, texts.get(name, ""), "en", votes=votes, dimensions=rated)

    def _canonical(self, name: str) -> str:
        emotion = canonical_emotion(_NEUTRAL.get(name.strip().lower(), name))
        return "happy" if emotion == "excited" and self.excited_as_happy else emotion

    def _votes(self, block: str) -> dict[str, float]:
        votes: dict[str, float] = {}
        for line in block.split("\n"):
            match = _VOTE.match(line)
            if match is None or (match[1] != "E" and not self.self_reports):
                continue
            named = [self._canonical(name) for name in match[2].split(";") if name.strip()]
            for emotion in named:
                votes[emotion] = votes.get(emotion, 0.0) + 1 / len(named)
        return votes


def _ratings(cells: str) -> dict[str, float]:
    """Return valence, activation and dominance, which stand in brackets; none where they are no three numbers."""
    try:
        valence, arousal, dominance = map(float, cells.split(","))
    except ValueError:
        return {}
    return {"arousal": arousal, "valence": valence, "dominance": dominance}


def _texts(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no transcription; expected a line per turn; {_SOURCE}")
    matches = (_TEXT.match(line) for line in read_text(path).split("\n"))
    return {match[1]: match[2].strip() for match in matches if match is not None}
