"""The decoder of pocketsphinx with the English models that it brings along."""

from typing import Any


def load_decoder(**settings: Any) -> Any:  # noqa: ANN401 (a class without types)
    """Return a decoder with the English models of the package.

    Args:
        settings: Settings of pocketsphinx, ``lm=None`` for one without a language model.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise ImportError(
            f"pocketsphinx is not installed ({error}); install it with: pip install -e '.[align]'"
        ) from error
    return Decoder(loglevel="FATAL", **settings)
