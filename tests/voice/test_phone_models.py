import itertools

import numpy as np
import pytest

from emoquant.voice.alignment.phone_models import STATES, Found, PhoneModels, find_phones, learn_phones

CENTRES = {"a": [4.0, 0.0], "b": [0.0, 4.0], "c": [-4.0, -4.0], "_": [0.0, 0.0]}


def speak(labels, seed):
    """Return features of phones of random lengths and the frames at which the phones begin, and the end."""
    random = np.random.default_rng(seed)
    lengths = random.integers(6, 15, len(labels))
    steps = np.arange(lengths.sum())
    begins = np.append(0, lengths.cumsum())
    which = np.searchsorted(begins, steps, side="right") - 1
    within = (steps - begins[which]) / lengths[which] - 0.5  # a phone changes while it lasts
    features = np.array([CENTRES[labels[place]] for place in which]) + within[:, None]
    return features + 0.3 * random.standard_normal(features.shape), begins


def spread(begins):
    """Return frames at which states begin where each has a third of its phone."""
    return np.interp(np.arange(STATES * (len(begins) - 1) + 1) / STATES, range(len(begins)), begins).round().astype(int)


def test_phones_are_found_exactly_from_a_rough_beginning():
    random = np.random.default_rng(0)
    spoken = [(labels, *speak(labels, seed)) for seed, labels in enumerate(["abcab", "cabca", "bacbc", "acbac"] * 4)]
    found = []
    for labels, features, begins in spoken:
        inner = begins[1:-1] + random.integers(-3, 4, len(begins) - 2)
        found.append(Found(features, labels, spread([0, *np.sort(inner), len(features)])))
    for _ in range(4):
        models = learn_phones(found)
        found = [find_phones(features, labels, [False] * len(labels), models) for labels, features, _ in spoken]
    wrong = [np.abs(each.edges[::STATES] - begins) for each, (_, _, begins) in zip(found, spoken, strict=True)]
    assert np.concatenate(wrong).max() <= 1


def models_of(seed):
    random = np.random.default_rng(seed)
    return PhoneModels(
        {"": 0, "a": 1, "_": 2},
        random.standard_normal((3, STATES, 2)),
        0.5 + random.random((3, STATES, 2)),
        0.2 + 0.6 * random.random((3, STATES)),
    )


def score_of(path, features, rows, models):
    """Return the log probability of states frame by frame, of units that may be left out."""
    means, variances = (part[rows].reshape(-1, 2) for part in (models.means, models.variances))
    stay = models.stay[rows].reshape(-1)
    total = 0.0
    for frame, state in enumerate(path):
        total -= 0.5 * float(
            ((features[frame] - means[state]) ** 2 / variances[state] + np.log(variances[state])).sum()
        )
        if frame:
            before = path[frame - 1]
            total += float(np.log(stay[before] if before == state else 1 - stay[before]))
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_likeliest_of_all_paths_is_found(seed):
    models, features = models_of(seed), np.random.default_rng(seed).standard_normal((8, 2))
    labels, optional = ["a", "_", "x"], [False, True, False]
    states = 3 * STATES
    paths = []
    for kept in ([0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 2, 6, 7, 8]):
        for ends in itertools.combinations(range(1, 8), len(kept) - 1):
            borders = (0, *ends, 8)
            paths.append([s for s, a, b in zip(kept, borders, borders[1:], strict=False) for _ in range(b - a)])
    best = max(paths, key=lambda path: score_of(path, features, [1, 2, 0], models))
    found = find_phones(features, labels, optional, models)
    assert np.repeat(np.arange(states), np.diff(found.edges)).tolist() == best


def test_pauses_at_the_ends_may_be_left_out():
    labels, optional = ["_", *"abc", "_"], [True, False, False, False, True]
    models = learn_phones([
        Found(features, text, spread(begins))
        for text in ["_abc_"]
        for features, begins in [speak(text, seed) for seed in range(12)]
    ])  # fmt: skip
    with_pauses, begins = speak("_abc_", 50)
    assert np.abs(find_phones(with_pauses, labels, optional, models).edges[::STATES] - begins).max() <= 1
    without, begins = speak("abc", 51)
    edges = find_phones(without, labels, optional, models).edges[::STATES]
    assert edges[0] == edges[1] == 0
    assert edges[-2] == edges[-1] == len(without)
    with pytest.raises(ValueError, match="too short for 5 phones"):
        find_phones(without[:8], labels, optional, models)
