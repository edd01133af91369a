"""From the name of a model to its directory on disk: a local path first, else one of the public hubs."""

from pathlib import Path
from typing import Literal

from emoquant.storage.hub import download_model
from emoquant.storage.shipped import CHECKPOINTS, say_licence, shipped_path

Hub = Literal["auto", "ms", "hf", "path"]

#: Owners of the public emotion2vec models and the hub (ModelScope, Hugging Face) that their names belong to.
_OWNERS: dict[str, Literal["ms", "hf"]] = {"iic": "ms", "emotion2vec": "hf"}


def find_model(model: str, hub: Hub = "auto") -> Path:
    """Return the directory of a model; a public one is downloaded on its first use.

    Args:
        model: Directory in funasr's format; a shipped model (``emotion2vec-tiny``); or the name of a model on a hub,
            such as ``iic/emotion2vec_plus_base``.
        hub: Where a name that is no directory is looked up: ``"ms"`` (ModelScope), ``"hf"`` (Hugging Face),
            ``"path"`` (nowhere), or ``"auto"``: by its owner, for the owners of the public emotion2vec models.

    Raises:
        FileNotFoundError: There is no such directory and the name is none that a hub is asked for.
        ConnectionError: The download failed; the message says how to fetch the model elsewhere.
    """
    for path in (shipped_path(model), CHECKPOINTS / model):
        if path.is_dir():
            say_licence(path)
            return path
    owner = model.split("/")[0]
    chosen = _OWNERS.get(owner) if hub == "auto" and model.count("/") == 1 else hub
    if chosen not in ("ms", "hf"):
        raise FileNotFoundError(
            f"no model directory {model!r}: expected a local directory in funasr's format, or a public name such as "
            "iic/emotion2vec_plus_base (hub: ms) or emotion2vec/emotion2vec_plus_base (hub: hf)"
        )
    return download_model(model, "ms" if chosen == "ms" else "hf")
