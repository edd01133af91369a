import math

import pytest
import torch
from forked import start
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, joined, planted_batches

from emoquant.codecs import ECVQ
from emoquant.codecs.identity import Identity
from emoquant.entropy import LightModel
from emoquant.metrics import Blocks, BySpeaker, References, ReferenceVectors, SweepMetrics
from emoquant.metrics.intervals import certain_share_interval
from emoquant.quantization import GroupedResidualVQ

NEUTRAL = CENTROIDS[2]


def references(batches=None):
    metric = ReferenceVectors(EMOTIONS, DIM)
    for batch in batches or planted_batches(seed=9):
        metric.update(batch)
    return metric.compute()


def measured(batches, codec=None, **options):
    options = {"replicates": 50, "corpus": "planted", "references": references(), "blocks": Blocks(range(12))} | options
    sweep = SweepMetrics([codec or PullCodec(NEUTRAL)], EMOTIONS, classifier=CentroidHead(), **options)
    for batch in batches:
        sweep.update(batch)
    return sweep.compute()


def value(rows, metric, emotion="all", lmbda=1.0, codec="pull"):
    (row,) = [r for r in rows if (r.metric, r.emotion, r.lmbda, r.codec) == (metric, emotion, lmbda, codec)]
    return row


def assert_same(rows, others):
    assert [(*row[:5], row.n, row.interval) for row in rows] == [(*row[:5], row.n, row.interval) for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row[5:8] == pytest.approx(other[5:8], abs=1e-5, rel=1e-5, nan_ok=True), (row, other)


def test_one_batch_or_many_in_any_order_is_the_same(monkeypatch):
    batches = planted_batches()
    whole = measured([joined(batches)])
    assert_same(measured(batches), whole)
    assert_same(measured(batches[::-1]), whole)
    monkeypatch.setattr("emoquant.metrics.sweep.MOST_VALUES", 3 * 8 * DIM * 2)
    assert_same(measured(batches), whole)


def measure_a_half(rank, folder):
    torch.set_num_threads(1)
    store = f"file://{folder}/rendezvous"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    rows = measured(planted_batches()[rank::2])
    torch.save([[row.metric, row.emotion, *row[5:9]] for row in rows], folder / f"rows{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_rows_of_one(tmp_path):
    runs = [start(tmp_path / f"{rank}.log", measure_a_half, rank, tmp_path) for rank in range(2)]
    for rank, run in enumerate(runs):
        run.join(600)
        assert run.exitcode == 0, (tmp_path / f"{rank}.log").read_text()[-2000:]
    rows = [torch.load(tmp_path / f"rows{rank}.pt", weights_only=True) for rank in range(2)]
    assert repr(rows[0]) == repr(rows[1])
    alone = measured(planted_batches())
    assert [tuple(row[:2]) for row in rows[0]] == [(row.metric, row.emotion) for row in alone]
    for found, row in zip(rows[0], alone, strict=True):
        assert found[2:] == pytest.approx([*row[5:9]], abs=1e-5, rel=1e-5, nan_ok=True)


def test_figures_equal_a_plain_loop_over_utterances():
    batches, codec = planted_batches(), PullCodec(NEUTRAL)
    rows, centroids = measured(batches, codec), references().centroids
    head, cosine = CentroidHead(), torch.nn.functional.cosine_similarity
    truth = {emotion: [] for emotion in EMOTIONS}
    for batch in batches:
        coded = codec(batch.features, batch.lengths, [1.0])
        for b, length in enumerate(batch.lengths.tolist()):
            x, y = batch.features[b, :length].double(), coded.features[0, b, :length].double()
            own = centroids[batch.emotions[b]]
            before, after = x.mean(0), y.mean(0)
            gain = [cosine(after, c, dim=0) - cosine(before, c, dim=0) for c in (centroids[2], own)]
            codes = coded.codes[0, b, :length]
            figures = [
                cosine(before, after, dim=0),
                gain[0] - gain[1],
                head(after.float()).argmax(),
                cosine(x, y).sum(),
                (x - y).square().sum(),
                (codes == 4).sum(),
                length,
            ]
            truth[EMOTIONS[batch.emotions[b]]].append([float(figure) for figure in figures])
    for emotion, found in truth.items():
        table = torch.tensor(found, dtype=torch.float64)
        similarity, drift, predicted, cosines, errors, skips, frames = table.T
        expected = {
            "utterance_similarity": similarity.mean(),
            "drift_to_neutral": drift.mean(),
            "recall": (predicted == [0, 2, 3, 4][EMOTIONS.index(emotion)]).double().mean(),
            "predicted/neutral": (predicted == 3).double().mean(),
            "frame_similarity": cosines.sum() / frames.sum(),
            "distortion": errors.sum() / frames.sum(),
            "skip_rate": skips.sum() / frames.sum() / 2,
            "bits_per_frame": torch.tensor(5.0),
        }
        for metric, figure in expected.items():
            row = value(rows, metric, emotion)
            assert row.value == pytest.approx(float(figure), abs=1e-5), metric
            assert row.n == 15


def test_every_figure_has_n_and_an_interval_around_it():
    rows = measured(planted_batches(count=240), replicates=400)
    taken = [row for row in rows if row.metric == "precision"]
    for row in taken:  # of the utterances that are taken for the emotion, of which there may be none
        assert row.low <= row.value <= row.high if row.n else row.interval == ""
    assert [sum(row.n for row in taken if row.lmbda == lmbda) for lmbda in (0.0, 9.0)] == [240, 240]
    for row in (row for row in rows if row not in taken):
        assert row.n == (240 if row.emotion == "all" else 60)
        if row.metric != "distinct_outputs":
            assert row.low - 1e-9 <= row.value <= row.high + 1e-9, row
            assert row.interval == "speakers"


def test_a_share_of_one_is_as_certain_as_its_speakers_allow():
    for blocks, n in ((range(12), 12), (range(6), 60)):  # with few speakers utterances are resampled
        row = value(
            measured(planted_batches(count=240, speakers=len(blocks)), blocks=Blocks(blocks)), "recall", "sad", 0
        )
        assert (row.value, row.n) == (1, 60)
        assert (row.low, row.high) == pytest.approx(certain_share_interval(1.0, n)), row.interval


def test_planted_drift_to_neutral_is_found_and_told_from_its_null():
    rows = measured(planted_batches(count=120), PullCodec(NEUTRAL))
    for emotion in ("angry", "happy", "sad"):
        assert value(rows, "drift_to_neutral", emotion).low > 0.1
        assert value(rows, "excess_drift_to_neutral", emotion).low > 0.1
        assert value(rows, "attraction/neutral", emotion).high < -3
        assert value(rows, "distance_to_neutral", emotion).high < 0.7
        assert value(rows, "recall", emotion, lmbda=9.0).value == 0
        assert value(rows, "predicted/neutral", emotion, lmbda=9.0).low > 0.7
        assert value(rows, "preference_for_neutral", emotion).low > 0.1
    assert value(rows, "drift_to_neutral", "neutral").value == 0


def test_absent_drift_to_neutral_is_not_found():
    random = torch.Generator().manual_seed(5)
    nowhere = torch.cat([torch.ones(4), 3 * torch.randn(DIM - 4, generator=random)])
    exact = References(CENTROIDS.double(), CENTROIDS.double().mean(0), torch.ones(4))
    for target, bound in ((torch.ones(DIM), 0.01), (nowhere, 0.01), (CENTROIDS[0], 1.0)):
        rows = measured(planted_batches(count=400), PullCodec(target), replicates=200, references=exact)
        for emotion in ("happy", "sad"):
            assert abs(value(rows, "preference_for_neutral", emotion).value) < bound
            assert value(rows, "preference_for_neutral", emotion).low < 0
    assert value(rows, "preference_for_neutral", "happy").high < -0.1
    assert value(rows, "drift_to_neutral", "angry").low < 0.01
    assert value(rows, "attraction/angry", "happy").high < 0 < value(rows, "attraction/neutral", "neutral").low


def test_losing_an_emotion_looks_like_drift_to_neutral_unless_compared_with_the_others():
    rows = measured(planted_batches(count=400), PullCodec(torch.ones(DIM)), replicates=200)
    assert value(rows, "excess_drift_to_neutral", "happy").low > 0.05
    row = value(rows, "preference_for_neutral", "happy")
    assert row.low < 0.002
    assert row.high > -0.002


def test_a_random_move_is_no_excess_drift():
    class Shake(PullCodec):
        def forward(self, features, lengths, points=None):
            coded = super().forward(features, lengths, [0.0, 0.0, 0.0])
            random = torch.Generator().manual_seed(int(features.sum() * 1000) % 2**31)
            step = torch.randn(features.shape[0], 1, DIM, generator=random)
            real = (torch.arange(features.shape[1]) < lengths[:, None])[..., None]
            return coded._replace(features=coded.features + 2 * step * real)

    rows = measured(planted_batches(count=400), Shake(NEUTRAL), replicates=200)
    for emotion in ("angry", "happy", "sad"):
        row = value(rows, "excess_drift_to_neutral", emotion)
        assert row.low < 0 < row.high
    assert value(rows, "null_drift_to_neutral", "all").value > 0  # displacement alone looks like drift


def test_collapse_is_told_from_neutrality():
    rows = measured(planted_batches(), PullCodec(references().mean.float(), points=(0.0, 1e9)))
    assert value(rows, "distinct_outputs", lmbda=0.0).value > 30
    assert value(rows, "distinct_outputs", lmbda=1e9).value == 1
    for emotion in EMOTIONS:
        assert value(rows, "distance_to_mean", emotion, 1e9).value < 1e-5
        assert value(rows, "distance_to_neutral", emotion, 1e9).value > 0.1


def test_unquantized_features_have_no_rate_and_are_as_they_are():
    rows = measured(planted_batches(), Identity())
    assert all(math.isnan(row.lmbda) and row.codec == "none" for row in rows)
    by = {(row.metric, row.emotion): row.value for row in rows}
    assert by["utterance_similarity", "all"] == pytest.approx(1.0)
    assert by["drift_to_neutral", "angry"] == pytest.approx(0.0, abs=1e-9)
    assert by["distinct_outputs", "all"] == 60
    assert not {"bits_per_frame", "skip_rate", "codebook_usage", "drift_to_skip"} & {row.metric for row in rows}


def test_an_undefined_drift_to_skip_is_nan_and_its_distance_is_not():
    rows = measured(planted_batches(), PullCodec(torch.zeros(DIM)))
    assert math.isnan(value(rows, "drift_to_skip").value)
    assert value(rows, "distance_to_skip").value == pytest.approx(0.5)


def test_speakers_apart_add_up_to_the_whole():
    speakers = [f"s{index}" for index in range(14)]  # two of them in other splits
    rows = measured(planted_batches(), strata=[BySpeaker(speakers)])
    whole = value([row for row in rows if row.stratum == "all"], "utterance_similarity", "happy")
    parts = [row for row in rows if row.stratum != "all" and row[2:5] == whole[2:5]]
    assert len(parts) == 12
    assert sum(row.n for row in parts) == whole.n == 15
    (strata := BySpeaker(speakers)).metrics = None
    every = {row[:5] + row[9:]: row[5:9] for row in measured(planted_batches(), strata=[strata])}
    assert all(str(every[row[:5] + row[9:]]) == str(row[5:9]) for row in rows), "the same for fewer metrics"


def test_memory_is_that_of_the_shapes_and_not_of_the_utterances():
    sweep = SweepMetrics([PullCodec(NEUTRAL)], EMOTIONS, references(), CentroidHead())

    def held():
        states = [getattr(metric, "metric_state", {}) for metric in sweep.sums.modules()]
        return [(name, state.shape) for metric in states for name, state in metric.items()]

    before = held()
    for batch in planted_batches(count=500):
        sweep.update(batch)
    assert held() == before
    assert before


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_empty_input_raises():
    with pytest.raises(ValueError, match="no utterance was measured"):
        SweepMetrics([PullCodec(NEUTRAL)], EMOTIONS).compute()
    with pytest.raises(ValueError, match="no centroid for angry, happy, neutral, sad"):
        ReferenceVectors(EMOTIONS, DIM).compute()


def test_bad_features_and_codecs_are_named():
    (batch,) = planted_batches(count=7)
    broken = batch.features.clone()
    broken[3, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"features of the utterances in rows \[3\]"):
        measured([batch._replace(features=broken)])

    class Wrong(PullCodec):
        def forward(self, features, lengths, points=None):
            coded = super().forward(features, lengths, points)
            return coded._replace(features=self.spoil(coded.features))

    wrong = Wrong(NEUTRAL)
    wrong.spoil = lambda features: features[:1]
    with pytest.raises(ValueError, match=r"codec 'pull' gave features \(1, 7,"):
        measured([batch], wrong)
    wrong.spoil = lambda features: features / 0.0
    with pytest.raises(ValueError, match="codec 'pull' gave features that are not finite"):
        measured([batch], wrong)


def test_no_references_or_classifier_leaves_out_what_needs_them():
    sweep = SweepMetrics([PullCodec(NEUTRAL)], EMOTIONS, replicates=10)
    for batch in planted_batches():
        sweep.update(batch)
    metrics = {row.metric for row in sweep.compute()}
    assert {"utterance_similarity", "bits_per_frame"} <= metrics
    assert not {"recall", "drift_to_neutral"} & metrics


def test_real_lengths_stand_beside_the_estimate_where_a_codec_writes_them():
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=DIM)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    codec = ECVQ(quantizer, LightModel(8), points=(0.0, 0.3), name="ours")
    batches = planted_batches(count=20)
    sweep = SweepMetrics([codec, PullCodec(NEUTRAL)], EMOTIONS, replicates=20, coded_bits=True)
    for batch in batches:
        sweep.update(batch)
    rows = sweep.compute()
    assert {row.codec for row in rows if row.metric == "coded_bits_per_frame"} == {"ours"}
    whole = joined(batches)
    utterances = [each[:length] for each, length in zip(whole.features, whole.lengths.tolist(), strict=True)]
    for lmbda in codec.points:
        payload = [codec.check(data).payload for data in codec.compress_batch(utterances, lmbda)]
        frames = int(whole.lengths.sum())
        coded = value(rows, "coded_bits_per_frame", lmbda=lmbda, codec="ours")
        estimated = value(rows, "bits_per_frame", lmbda=lmbda, codec="ours")
        assert coded.value == pytest.approx(8 * sum(map(len, payload)) / frames)
        assert 0 < coded.value - estimated.value < 32 * len(utterances) / frames
    assert not any(row.metric == "coded_bits_per_frame" for row in measured(batches, codec))
