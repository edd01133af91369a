"""Checks, before a training, that its modules can be stored and loaded again."""

from pathlib import Path
from typing import Any

import torch

from emoquant.codecs.checkpoint import built_from
from emoquant.codecs.classes import Build, class_entry, class_path, require_class
from emoquant.codecs.search import layout_of
from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.storage.rebuilding import require_shapes


def require_storable(quantizer: GroupedResidualVQ | None, entropy: EntropyModel | None) -> None:
    """Check that the classes of modules can be named in a checkpoint; the modules need not be built yet.

    Raises:
        ValueError: See :func:`~emoquant.codecs.classes.require_class`.
    """
    if quantizer is not None:
        require_class(quantizer, GroupedResidualVQ)
    if entropy is not None:
        require_class(entropy, EntropyModel)


def require_loadable(quantizer: GroupedResidualVQ, entropy: EntropyModel | None) -> None:
    """Check that built modules can be made again from their ``settings()`` with weights of the same shapes.

    Raises:
        ValueError: Class and ``settings()`` give weights of other names or shapes.
    """
    layout = layout_of(quantizer)
    builds: list[tuple[Any, Build]] = [(quantizer, None), (entropy, lambda model: model.build(layout))]
    for module, build in builds:
        if module is not None:
            place = Path(f"a checkpoint of {class_path(type(module))}")
            with torch.random.fork_rng(devices=[]):
                state = module.state_dict()
                require_shapes(built_from(type(module), class_entry(module), state, place, build), state, place)
