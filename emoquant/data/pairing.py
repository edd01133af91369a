"""Pairs of references: every utterance with one of the same speaker and of a chosen other emotion."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from emoquant.data.features import SplitDataset
from emoquant.data.sampling import Rows
from emoquant.labels import canonical_emotion
from emoquant.types import Batch


def partner_rows(
    emotions: np.ndarray,
    speakers: np.ndarray,
    names: Sequence[str],
    partners: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return utterances and their partners: of the same speaker and another emotion, with the same number.

    The utterances of each speaker and emotion are numbered in the order of the split. Number ``k`` is paired with
    number ``k`` of the partner's emotion, modulo their number. In corpora of parallel sentences that is the same
    sentence.

    Args:
        emotions: Index of each utterance's emotion, ``(N,)``.
        speakers: Index of each utterance's speaker, ``(N,)``.
        names: Names of the emotions.
        partners: Emotion of the partner by emotion; emotions that are not named are left out. By default each emotion
            goes with the next one, the last with the first.

    Returns:
        Rows ``(M,)`` that have a partner, rising, and their partners' rows ``(M,)``.

    Raises:
        ValueError: An emotion is unknown or its own partner, or a speaker has no utterance of the partner's emotion.

    Example:
        >>> emotions, speakers = np.array([0, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 1])
        >>> [rows.tolist() for rows in partner_rows(emotions, speakers, ["happy", "sad"], {"happy": "sad"})]
        [[0, 1, 3], [2, 2, 4]]
    """
    if partners is None:
        partners = {name: names[(place + 1) % len(names)] for place, name in enumerate(names)}
    wanted = {canonical_emotion(one): canonical_emotion(other) for one, other in partners.items()}
    wrong = [f"{a}: {b}" for a, b in wanted.items() if a not in names or b not in names or a == b]
    if wrong or not wanted:
        raise ValueError(f"partners pair two different emotions of {', '.join(names)}; these do not: {wrong or 'none'}")
    rows, others = [], []
    for speaker in np.unique(speakers):
        for one, other in wanted.items():
            own = np.flatnonzero((speakers == speaker) & (emotions == names.index(one)))
            found = np.flatnonzero((speakers == speaker) & (emotions == names.index(other)))
            if len(own) and not len(found):
                raise ValueError(
                    f"speaker {speaker} of the test split has no {other} utterance to go with {len(own)} of {one}: "
                    "name other partners or divide the corpus otherwise"
                )
            rows.append(own)
            others.append(found[np.arange(len(own)) % max(1, len(found))])
    chosen, partner = np.concatenate(rows), np.concatenate(others)
    order = np.argsort(chosen, kind="stable")
    return chosen[order], partner[order]


class PairedDataset(SplitDataset):
    """Give utterances concatenated with their partners, both cut to the frames of the shorter one.

    Labels are those of the first utterance. Rows are numbers of pairs.

    Args:
        whole: The split.
        rows: Rows of the first of each pair, ``(M,)``.
        partners: Rows of the second, ``(M,)``.
    """

    def __init__(self, whole: SplitDataset, rows: np.ndarray, partners: np.ndarray) -> None:
        lengths = 2 * np.minimum(whole.lengths[rows], whole.lengths[partners])
        super().__init__(whole.utterances.select(rows), lengths, whole.emotions[rows], whole.speakers[rows])
        self._whole, self._rows, self._partners = whole, rows, partners

    def __getitem__(self, index: Rows) -> Batch:
        """Return the features of a batch of pairs."""
        first: Batch = self._whole[Rows(self._rows[index.rows], index.epoch)]
        second: Batch = self._whole[Rows(self._partners[index.rows], index.epoch)]
        each = torch.minimum(first.lengths, second.lengths)
        features = first.features.new_zeros(len(each), 2 * int(each.max()), first.features.shape[-1])
        for row, length in enumerate(each.tolist()):
            features[row, :length] = first.features[row, :length]
            features[row, length : 2 * length] = second.features[row, :length]
        return first._replace(features=features, lengths=2 * each, utterances=self._labels(index.rows)[2])
