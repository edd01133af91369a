"""Models of phones that are learned from a corpus itself and find its phones (hidden Markov models, Viterbi training).

Each phone is three states in a row, each a Gaussian with a diagonal covariance and a chance of staying. What is learned
from one alignment finds the phones again, which gives a better alignment to learn from (Rabiner 1989).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emoquant.audio.espeak import PAUSE

#: States of a phone.
STATES = 3

#: Frames that a phone, and each of its states, needs for models of its own; rarer ones take those without stress, or
#: those of all phones.
_LEAST, _LEAST_OF_STATE = 100, 10

#: Least variance of a state, as a share of the variance of all frames.
_FLOOR = 0.05

_ANY = ""


class Found(NamedTuple):
    """Phones in a recording of ``T`` frames.

    Attributes:
        features: Features of its frames, ``(T, D)``.
        labels: Phones and pauses, ``L`` of them.
        edges: Frame in which each state begins, and ``T``, ``(3 L + 1,)`` int64; never falling.
    """

    features: np.ndarray
    labels: Sequence[str]
    edges: np.ndarray


class PhoneModels(NamedTuple):
    """What phones are like.

    Attributes:
        rows: Row of each phone.
        means: ``(N, 3, D)``.
        variances: ``(N, 3, D)``.
        stay: Probability of the next frame being of the same state, ``(N, 3)``.
    """

    rows: dict[str, int]
    means: np.ndarray
    variances: np.ndarray
    stay: np.ndarray

    def row(self, label: str) -> int:
        """Return the row of a phone, or of what stands in for it."""
        return next(self.rows[name] for name in (*_names(label), _ANY) if name in self.rows)


def learn_phones(found: Sequence[Found]) -> PhoneModels:
    """Return models of the phones that were found in recordings."""
    pieces: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
    for features, labels, edges in found:
        for at, label in enumerate(labels):
            for state in range(STATES):
                piece = features[edges[STATES * at + state] : edges[STATES * at + state + 1]]
                if len(piece):
                    for name in _names(label):
                        pieces[name, state].append(piece)
    kept = [name for name in dict.fromkeys(name for name, _ in pieces) if _often(pieces, name)]
    frames = np.concatenate([features for features, _, _ in found])
    least = _FLOOR * frames.var(0)
    means, variances, stay = [], [], []
    for name in kept:
        for state in range(STATES):
            parts = pieces[name, state]
            here = np.concatenate(parts)
            means.append(here.mean(0))
            variances.append(np.maximum(here.var(0), least))
            stay.append(1 - 1 / max(len(here) / len(parts), 1.05))
    shape = (len(kept), STATES, -1)
    rows = {name: row for row, name in enumerate(kept)}
    return PhoneModels(rows, np.reshape(means, shape), np.reshape(variances, shape), np.reshape(stay, shape[:2]))


def find_phones(features: np.ndarray, labels: Sequence[str], optional: Sequence[bool], models: PhoneModels) -> Found:
    """Return the likeliest places of phones in a recording.

    Args:
        features: Features of the frames, ``(T, D)``.
        labels: Phones and pauses in order.
        optional: Which of them may be left out, pauses; no two that follow each other.
        models: What they are like.

    Raises:
        ValueError: The recording is too short for the phones.
    """
    rows = np.array([models.row(label) for label in labels])
    score = _log_densities(features, models.means[rows], models.variances[rows])
    stay, leave = (np.log(chance[rows]).reshape(-1) for chance in (models.stay, 1 - models.stay))
    states = np.arange(len(stay))
    skipped = (states > 0) & (states % STATES == 0) & np.asarray(optional, bool)[states // STATES - 1]
    jump = np.where(skipped, states - STATES - 1, -1)  # the state before an optional pause, where one was left out
    best = np.full(len(stay), -np.inf)
    best[0] = score[0, 0]
    if optional[0]:
        best[STATES] = score[0, STATES]
    steps = np.zeros((len(features), len(stay)), np.int64)
    for frame in range(1, len(features)):
        left = best + leave
        ways = np.stack([best + stay, np.append(-np.inf, left[:-1]), np.where(jump >= 0, left[jump], -np.inf)])
        taken = ways.argmax(0)
        steps[frame] = np.choose(taken, [states, states - 1, jump])
        best = ways[taken, states] + score[frame]
    ends = [len(stay) - 1, *([len(stay) - 1 - STATES] if optional[-1] else [])]
    state = max(ends, key=lambda end: best[end])
    if best[state] == -np.inf:
        raise ValueError(f"{len(features)} frames are too short for {len(labels)} phones; is the text right?")
    counts = np.zeros(len(stay), np.int64)
    for frame in range(len(features) - 1, -1, -1):
        counts[state] += 1
        state = steps[frame, state]
    return Found(features, labels, np.append(0, counts.cumsum()))


def _log_densities(features: np.ndarray, means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return log densities of frames under states in a row, up to a constant, ``(T, 3 L)``."""
    means, variances = means.reshape(-1, means.shape[-1]), variances.reshape(-1, means.shape[-1])
    squares = features**2 @ (1 / variances).T - 2 * features @ (means / variances).T
    return np.asarray(-0.5 * (squares + (means**2 / variances + np.log(variances)).sum(1)))


def _names(label: str) -> list[str]:
    """Return under which names a phone is learned and looked up: its own, without stress, any phone; pauses apart."""
    return [label] if label == PAUSE else list(dict.fromkeys([label, label.strip("ˈˌ"), _ANY]))


def _often(pieces: dict[tuple[str, int], list[np.ndarray]], name: str) -> bool:
    counts = [sum(map(len, pieces[name, state])) if (name, state) in pieces else 0 for state in range(STATES)]
    if name in (_ANY, PAUSE):
        return min(counts) > 0
    return sum(counts) >= _LEAST and min(counts) >= _LEAST_OF_STATE
