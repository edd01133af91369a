"""The command ``layers``: where in an encoder emotion is, and at which lambda it goes."""

from pathlib import Path
from typing import Any

import torch

from emoquant.encoders.naming import open_encoder
from emoquant.encoders.transformers_encoder import TransformersEncoder
from emoquant.reports.layers import LayerMap
from emoquant.reports.redraw import FOLDER
from emoquant.storage.results import Row, write_results
from emoquant.storage.runs import RESULTS, Begun
from emoquant.study.corpus import open_data
from emoquant.study.layers import Vectors, learn_mixture, mean_vectors, measure_layer, write_mixture

#: Lambdas over the variance of a layer's features a dimension.
RATIOS = (0.0, 0.1, 1.0, 10.0, 100.0)
MIXTURE = "layers.json"


def layers(
    encoder: str,
    data: str | None = None,
    emotions: list[str] | None = None,
    folder: Path = Path("runs/layers"),
    states: list[int] | None = None,
    ratios: list[float] | None = None,
) -> Path:
    """Measure every hidden state of a model of transformers: a probe, a transform codec, agreement and UAR over lambda.

    Args:
        encoder: The model: its folder or its name on the hub.
        data: The corpus: a shipped name, a YAML or a CSV.
        emotions: Emotions that are kept.
        folder: Folder of the runs, one folder a hidden state; results.csv, the heat maps in reports, and layers.json:
            the weights of a mixture of all states, for an encoder with `layer: weighted`.
        states: Hidden states; all by default. The mixture is learnt where all are.
        ratios: Lambdas over the variance of a state's features a dimension, so that states are comparable.

    Returns:
        The folder of the heat maps.

    Raises:
        FileNotFoundError: The corpus or the model is not where it should be.
        ValueError: The encoder is no model of transformers, or has no such state.
    """
    model = open_encoder(encoder)
    if not isinstance(model, TransformersEncoder) or model.mixture is not None:
        raise ValueError(f"--encoder {encoder}: expected a model of transformers, without a layer")
    chosen = list(range(model.layers + 1)) if states is None else states
    rows: list[Row] = []
    means: list[dict[str, Any]] = []
    labels: dict[str, Any] = {}
    for state in chosen:
        word = f"{model.model}@{state}"
        module = open_data(Begun(data, word, emotions))
        module.prepare_data()
        module.setup()
        found = {split: mean_vectors(module, split) for split in ("train", "validation")}
        means.append({split: vectors for split, (vectors, _) in found.items()})
        labels = {split: kinds for split, (_, kinds) in found.items()}
        words = ["--encoder", word, *(["--data", data] if data else [])]
        words += ["--emotions", ",".join(emotions)] if emotions else []
        layer = measure_layer(words, folder / f"layer_{state}", ratios or RATIOS, module)
        rows += [_named(row, state) for row in layer if row.stratum == "all"]
        classes = len(module.emotions)
    write_results(folder / RESULTS, rows)
    if chosen == list(range(model.layers + 1)):
        stacked = {s: Vectors(torch.stack([mean[s] for mean in means], 1), labels[s]) for s in labels}
        weights, uar = learn_mixture(stacked["train"], stacked["validation"], classes)
        write_mixture(folder / MIXTURE, weights, uar)
        print(f"{folder / MIXTURE}: validation UAR {uar:.3f}")
    for path in LayerMap().write(rows, folder / FOLDER):
        print(path)
    return folder / FOLDER


def _named(row: Row, state: int) -> Row:
    """Return a row of a layer's sweep under the layer's name; its unquantized features stand at NaN."""
    return row._replace(codec=f"layer {state}")
