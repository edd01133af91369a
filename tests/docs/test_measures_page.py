"""The page of measures names every metric and column that is written, and no other."""

import re
from typing import ClassVar

import torch
from page_commands import ROOT
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, planted_batches

from emoquant.codecs import ECVQ, Mixture
from emoquant.codecs.search import layout_of
from emoquant.entropy import LightModel
from emoquant.labels import DIMENSIONS, canonical_emotion
from emoquant.metrics import ReferenceVectors, SweepMetrics
from emoquant.metrics.blends import Blends, Thresholds, Truth
from emoquant.metrics.by_classifier import ByClassifier
from emoquant.metrics.decisions import ClassifierMeasure, Decisions, Recognition
from emoquant.metrics.described import codec_rows, decision_row
from emoquant.metrics.dimensions import Concordance, Regression
from emoquant.metrics.measures import Direction, Fidelity, Measure, Rate
from emoquant.metrics.methods import Way, method_rows
from emoquant.metrics.shrinkage import Shrinkage
from emoquant.metrics.spaces import Space, SpaceDirections
from emoquant.metrics.triplets import TripletMeans
from emoquant.metrics.votes import Votes
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.results import Row
from emoquant.tasks.rate_points import RatePoint, point_rows
from emoquant.voice.metrics.summary import FIGURES

HEAD, SWEEP, BITS, CLIPS = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8").split("\n## ")


def named(section):
    """Return the names in the first column of a section's tables."""
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def mixture():
    """Return a codec of two references that knows what it was trained on."""

    class Known(ECVQ):
        trained_on: ClassVar = {"happy": 1.0}

    quantizer, entropy = GroupedResidualVQ(2, 2, 5, dim=8), LightModel(8)
    entropy.build(layout_of(quantizer))
    return Mixture(Known(quantizer, entropy))


def test_every_measure_of_a_sweep_is_explained():
    kinds = {*Measure.__subclasses__(), *ClassifierMeasure.__subclasses__()} - {ClassifierMeasure, ByClassifier}
    shipped = {kind for kind in kinds if kind.__module__.startswith("emoquant.")}
    known = {Concordance, Decisions, Direction, Fidelity, Rate, Recognition, Shrinkage, SpaceDirections, TripletMeans}
    assert shipped == {*known, Votes, Blends}, "measure the new one below"
    head, references = CentroidHead(), ReferenceVectors(EMOTIONS, DIM)
    batches = planted_batches()
    for batch in batches:
        references.update(batch)
    space, fitted = Space("logits", lambda vectors: vectors.double()), references.compute()
    more = [
        SpaceDirections(EMOTIONS, fitted, space),
        Votes(EMOTIONS, head.labels),
        Rate(2, coded=True),
        Blends(EMOTIONS, head.labels, Truth(torch.arange(4), torch.tensor([1, 0, 3, 2]), 0.5), Thresholds(0.2, 0.4)),
        Concordance(Regression(torch.ones(3, DIM), torch.ones(3))),
    ]
    sweep = SweepMetrics([PullCodec(CENTROIDS[2])], EMOTIONS, fitted, head, replicates=2, measures=more)
    rated = torch.arange(3.0 * len(batches[0].lengths), dtype=torch.float64).reshape(-1, 3)
    sweep.update(batches[0]._replace(dimensions=rated))
    classes = {canonical_emotion(label) for label in head.labels} | set(EMOTIONS)
    written = {re.sub(rf"/({'|'.join(classes)})$", "/E", row.metric) for row in sweep.compute()}
    written = {re.sub(rf"/({'|'.join(DIMENSIONS)})$", "/D", metric) for metric in written}
    written = {"METRIC@SPACE" if "@" in metric else metric for metric in written} | {*TripletMeans().names}
    codec = mixture().codec
    written |= {
        row.metric for row in point_rows(torch.nn.ModuleList([codec]), {codec.name: [RatePoint(1.0, 2.0)]}, "c")
    }
    written |= {re.sub(r"/.*", "/RULE", row.metric) for row in codec_rows([mixture()], "tiny")}
    rate = Rate(0, False, 50.0, ("file", "entropy_coded"))
    written |= {figure.metric for figure in rate.figures(torch.ones(1, 1, rate.width))}
    one, ways = [torch.ones(2, 1, 2, 2, dtype=torch.int64)] * 2, [Way("none", (1.0,), "ab"), Way("a", (1.0,), "ab")]
    written |= {re.sub(r"/.*", "/REFERENCE", row.metric) for row in method_rows("c", ways, one, one, ["none"])}
    written |= {decision_row("tiny", 4, 60, 9.0).metric, "heard_corpus/HOW", "heard_speakers", "blend_threshold/HOW"}
    written |= {"presence_chance", "salience_chance"}  # of tests/tasks/test_blend_task.py
    assert sorted(named(SWEEP)) == sorted(written)


def test_every_measure_of_bits_is_explained():
    from emoquant.commands.bits_inquiry import METRICS  # here, since it imports every room

    assert sorted([*named(BITS), "bits_per_second"]) == sorted(METRICS)


def test_every_measure_of_clips_and_every_column_is_explained():
    assert named(CLIPS) == [*FIGURES, "equal_error_rate"]  # this one is of clips together
    assert named(HEAD) == list(Row._fields)
