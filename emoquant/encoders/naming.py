"""Encoders by the words that the command line takes."""

from importlib import import_module

from emoquant.console.encoder_words import encoder_spec
from emoquant.encoders.base import FrameEncoder


def open_encoder(word: str) -> FrameEncoder:
    """Return the encoder that a word stands for: a name on a hub, a folder, a YAML or the path of a class.

    Args:
        word: As after ``--encoder``.

    Raises:
        FileNotFoundError: There is no such YAML.
        ValueError: The word names no encoder.

    Example:
        >>> open_encoder("checkpoints/emotion2vec-tiny").dim
        192
    """
    spec = encoder_spec(word) or {}
    module, _, name = str(spec.get("class_path", "")).rpartition(".")
    try:
        found = getattr(import_module(module or "emoquant.encoders"), name)(**(spec.get("init_args") or {}))
    except ValueError as error:
        raise error if word in str(error) else ValueError(f"{word}: {error}") from error
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{word!r} names no encoder ({error}): expected a folder, a name on a hub, or a YAML"
        ) from error
    if not isinstance(found, FrameEncoder):
        raise ValueError(f"{word!r} names a {type(found).__name__}, which is no FrameEncoder")
    return found
