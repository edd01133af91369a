"""Ways to recognise against each other: Emo-Q by hand, Macro-F1 by scikit-learn's definition, paired intervals."""

import math

import pytest
import torch
from scipy import stats
from sklearn.metrics import f1_score
from test_choice import BIASED, codecs
from tiny_world import CENTROIDS, EMOTIONS, CentroidHead, planted_batches

from emoquant.metrics import CodebookChoice, MatchedCodebook, SweepMetrics
from emoquant.metrics.methods import Methods, Way, macro_f1, method_rows


def observed(*choices):
    """Return what every codec and choice makes of planted utterances, and the batch."""
    sweep = SweepMetrics(codecs(CENTROIDS, (0.3, 0.5, 0.4, 0.6)), EMOTIONS, classifier=CentroidHead(), choices=choices)
    (batch,) = planted_batches(count=40, size=40, spread=2.5)
    seen = {codec.name: sweep._code(batch, codec)[1] for codec, _ in sweep._pairs()}
    return seen, batch


def test_emo_q_is_the_largest_gain_of_cosine_or_its_fall_back():
    options = {"by": "utterance_similarity", "reference": "balanced", "calibrated": False}
    plain = CodebookChoice(BIASED, name="plain", by="utterance_similarity")
    falling = {fall: CodebookChoice(BIASED, name=fall, fall_back=fall, **options) for fall in ("features", "reference")}
    seen, _ = observed(plain, *falling.values())
    cosines = {
        name: torch.nn.functional.cosine_similarity(each.after.double(), each.before.double(), dim=-1)
        for name, each in seen.items()
    }
    own = torch.stack([cosines[name] for name in BIASED.values()], -1)
    gains = own - cosines["balanced"][..., None]
    assert torch.equal(plain.observe(seen).logits.argmax(-1), own.argmax(-1))
    lost = (gains <= 0).all(-1)
    assert 0 < int(lost.sum()) < lost.numel()
    head = CentroidHead()
    heard = {"features": seen["balanced"].before.expand(2, -1, -1), "reference": seen["balanced"].after}
    for fall, choice in falling.items():
        among = head(heard[fall])[..., [0, 2, 3, 4]].argmax(-1)
        expected = torch.where(lost, among, gains.argmax(-1))
        assert torch.equal(choice.observe(seen).logits.argmax(-1), expected)


def test_a_matched_codebook_is_that_of_the_own_emotion():
    matched = MatchedCodebook(BIASED)
    seen, batch = observed(matched)
    logits = matched.observe(seen).logits
    for row, emotion in enumerate(batch.emotions.tolist()):
        through = seen[BIASED[EMOTIONS[emotion]]].logits[:, row][..., [0, 2, 3, 4]]
        torch.testing.assert_close(logits[:, row], through)


def test_choices_that_lack_something_are_named():
    with pytest.raises(ValueError, match="expected 'features' or 'reference' and the name of a codec"):
        CodebookChoice(BIASED, fall_back="features")
    with pytest.raises(ValueError, match="a codebook of every emotion, lacking are sad"):
        observed(MatchedCodebook({name: codec for name, codec in BIASED.items() if name != "sad"}))


def planted_counts(seed, hits):
    """Decisions ``(S, O, C, C)`` of 6 speakers with so many hits of 20 at each of the points."""
    random = torch.Generator().manual_seed(seed)
    counts = torch.zeros(6, len(hits), 3, 3, dtype=torch.int64)
    for speaker in range(6):
        for point, good in enumerate(hits):
            for emotion in range(3):
                right = int(torch.binomial(torch.tensor(20.0), torch.tensor(good / 20), generator=random))
                counts[speaker, point, emotion, emotion] += right
                counts[speaker, point, emotion, (emotion + 1) % 3] += 20 - right
    return counts


def f1_by_definition(counts):
    truth = [e for e in range(3) for d in range(3) for _ in range(int(counts[e, d]))]
    decided = [d for e in range(3) for d in range(3) for _ in range(int(counts[e, d]))]
    return f1_score(truth, decided, average="macro")


def test_points_are_chosen_on_validation_data_and_gains_are_paired():
    ways = [
        Way("none", (math.nan,), EMOTIONS),
        Way("a", (1.0, 2.0, 4.0), EMOTIONS),
        Way("b", (1.0, 2.0, 4.0), EMOTIONS),
    ]
    held = [planted_counts(0, [15]), planted_counts(1, [10, 18, 12]), planted_counts(2, [8, 9, 17])]
    found = [planted_counts(3, [15]), planted_counts(4, [19, 14, 12]), planted_counts(5, [8, 9, 16])]
    rows = {(row.codec, row.metric, None if math.isnan(row.lmbda) else row.lmbda): row
            for row in method_rows("c", ways, held, found, ["none", "a"])}  # fmt: skip
    chosen = {codec: point for codec, metric, point in rows if metric == "chosen_f1"}
    assert chosen == {"none": None, "a": 2.0, "b": 4.0}, "the best point on test data of a is 1"
    a, b = found[1][:, 1], found[2][:, 2]
    assert rows["a", "chosen_f1", 2.0].value == pytest.approx(f1_by_definition(a.sum(0)))
    row = rows["b", "chosen_f1_gain/a", 4.0]
    assert row.value == pytest.approx(f1_by_definition(b.sum(0)) - f1_by_definition(a.sum(0)))
    without = [f1_by_definition(b.sum(0) - b[s]) - f1_by_definition(a.sum(0) - a[s]) for s in range(6)]
    mean = sum(without) / 6
    error = math.sqrt(5 / 6 * sum((each - mean) ** 2 for each in without))
    assert row.speaker_high - row.value == pytest.approx(stats.t.ppf(0.975, 5) * error)
    assert (row.speakers, row.n) == (6, 360)
    same = rows["b", "f1_gain/a", 1.0]
    assert same.value == pytest.approx(
        f1_by_definition(found[2][:, 0].sum(0)) - f1_by_definition(found[1][:, 0].sum(0))
    )
    assert rows["a", "f1_gain/none", 4.0].n == 360


def test_macro_f1_leaves_out_emotions_without_utterances():
    assert float(macro_f1(torch.tensor([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))) == 1.0


def test_one_speaker_has_no_interval():
    (row,) = [r for r in method_rows("c", [Way("a", (1.0,), "abc")], [planted_counts(0, [9])[:1]],
                                     [planted_counts(1, [9])[:1]], []) if r.metric == "chosen_f1"]  # fmt: skip
    assert (row.speakers, math.isnan(row.low)) == (0, True)


def test_intervals_end_where_macro_f1_does():
    hits = torch.tensor([20, 20, 20, 20, 20, 14])
    counts = torch.zeros(6, 1, 3, 3, dtype=torch.int64)
    for emotion in range(3):
        counts[:, 0, emotion, emotion] = hits
        counts[:, 0, emotion, (emotion + 1) % 3] = 20 - hits
    (row,) = [r for r in method_rows("c", [Way("a", (1.0,), "abc")], [counts], [counts], []) if r.metric == "chosen_f1"]
    assert row.value == pytest.approx(0.95)
    assert (row.high, row.speaker_high) == (1.0, 1.0)
    assert row.low == pytest.approx(0.95 - stats.t.ppf(0.975, 5) * 0.05)


def test_the_sweep_counts_what_every_way_decides():
    matched = MatchedCodebook(BIASED)
    sweep = SweepMetrics(codecs(CENTROIDS), EMOTIONS, classifier=CentroidHead(), choices=[matched], replicates=20)
    held = Methods(sweep.ways(), EMOTIONS, 12)
    sweep.methods = Methods(sweep.ways(), EMOTIONS, 12)
    for batch in planted_batches():
        sweep.update(batch)
        sweep.decide(batch, held)
    rows = {(row.codec, row.lmbda): row.value for row in sweep.compute() if row.metric == "uar"}
    for way, decided, alone in zip(sweep.ways(), sweep.methods.decided, held.decided, strict=True):
        counts = decided.compute()
        assert torch.equal(counts, alone.compute())
        recalls = counts.sum(0).double().diagonal(dim1=-2, dim2=-1) / counts.sum((0, 3))
        for place, point in enumerate(way.points):
            assert float(recalls[place].mean()) == pytest.approx(rows[way.name, point])
