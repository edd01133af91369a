"""How long the steps of a study take: as long as the last time, or estimated from the size of the data."""

from collections.abc import Mapping
from typing import Any

from emoquant.codecs.base import STUDY_LAMBDAS
from emoquant.codecs.specs import expand
from emoquant.storage.documents import inlined
from emoquant.study.corpus import Offer
from emoquant.study.plan import Step

#: Seconds of one CPU core a second of speech: an epoch of training, a codec at an operating point, the encoder.
_EPOCH, _POINT, _ENCODE = 0.012, 0.004, 0.003
#: Seconds that a step takes whatever the data.
_START = 5.0


def minutes(step: Step, offer: Offer) -> float:
    """Return the estimated minutes of a step on one CPU core; features are taken to be in the store.

    Args:
        step: The step.
        offer: The data.
    """
    content = inlined(step.config)
    if step.trains:
        epochs = (content.get("trainer") or {}).get("max_epochs") or 1
        part = 1.0
        if "--train_emotions" in step.args:
            shares = step.args[step.args.index("--train_emotions") + 1].count(",") + 1
            part = shares / len(offer.emotions)
        return (_START + epochs * part * offer.counts["train"] * offer.seconds * _EPOCH) / 60
    return (_START + _operating_points(content, offer) * offer.counts["test"] * offer.seconds * _POINT) / 60


def extraction_minutes(offer: Offer) -> float:
    """Return the estimated minutes that the shipped encoder takes for a whole corpus on one CPU core."""
    return sum(offer.counts.values()) * offer.seconds * _ENCODE / 60


def _operating_points(content: Mapping[str, Any], offer: Offer) -> int:
    init = content["model"]["init_args"]
    points = init.get("points") or STUDY_LAMBDAS
    specs = [spec for spec in expand(init["codecs"], offer.emotions) if isinstance(spec, Mapping)]
    return sum(len(spec.get("points", points)) + len(init.get("rates") or ()) for spec in specs)
