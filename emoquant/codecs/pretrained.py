"""Codecs as folders that can be shared."""

from pathlib import Path

from emoquant.codecs.base import Codec
from emoquant.codecs.checkpoint import KIND, parts_of
from emoquant.storage.artefacts import write_artefact


def save_pretrained(codec: Codec, folder: str | Path) -> None:
    """Write a codec as ``codec.json`` and ``codec.safetensors``, which :func:`~emoquant.codecs.load_codec` reads.

    Args:
        codec: An :class:`~emoquant.codecs.ECVQ`, or a codec with :meth:`~emoquant.codecs.Codec.settings`.
        folder: Folder to write into; it is created if it does not exist.

    Raises:
        ValueError: The codec has no settings.
    """
    history = codec.source.history if codec.source else None
    card = [
        "---\nlibrary_name: emoquant\n---",
        f"# {codec.name}\n",
        f"A codec of frame features, {codec.dim} dimensions of {codec.origin or 'an unknown encoder'}.",
    ]
    if history is not None:
        training = f"{history.utterances} utterances of {history.corpus}, epoch {history.epoch} of {history.epochs}"
        card.append(f"Training: {training}, seed {history.seed}.")
    card.append('\n```python\nimport emoquant\n\ncodec = emoquant.load_codec("owner/name")\n```\n')
    write_artefact(folder, KIND, *parts_of(codec), card="\n".join(card))
