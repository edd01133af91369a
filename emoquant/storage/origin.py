"""Identity of the encoder of features, stored with codecs and classifiers and compared before they are used."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

#: Digits of a fingerprint that are compared: voices remember no more of their encoder's.
_DIGITS = 16


class Origin(NamedTuple):
    """The encoder of frame features.

    Attributes:
        name: What its user calls it: a directory, a public name or a class; only for messages.
        fingerprint: Hex digest of everything that shapes the features; empty if it is not known.
        weights: Hex digest of the network alone, where settings shape the features as well (windows over long
            recordings, which leave the space of features as it is); empty where that is not known apart.
    """

    name: str
    fingerprint: str
    weights: str = ""

    def __str__(self) -> str:
        return f"{self.name!r} ({self.fingerprint[:8]})"

    def agrees(self, other: "Origin") -> bool:
        """Return whether features of both lie in the same space.

        Example:
            >>> Origin("a", "00112233445566778899").agrees(Origin("b", "0011223344556677"))
            True
        """
        if self.fingerprint[:_DIGITS] == other.fingerprint[:_DIGITS]:
            return True
        return bool(self.weights) and self.weights == other.weights

    def stored(self) -> dict[str, str]:
        """Return the fields as a dictionary, for a checkpoint."""
        return self._asdict()


#: Origin of what a checkpoint says nothing about.
UNKNOWN = Origin("an unknown encoder", "")


def read_origin(stored: Any) -> Origin:  # noqa: ANN401 - whatever a file holds
    """Return the origin that a checkpoint holds (:meth:`Origin.stored`); :data:`UNKNOWN` if it holds none.

    Example:
        >>> read_origin({"name": "tiny", "fingerprint": "00ff", "weights": ""}).name
        'tiny'
        >>> read_origin(None) is UNKNOWN
        True
    """
    fields = [stored.get(field) for field in Origin._fields] if isinstance(stored, Mapping) else [None]
    return Origin(*fields) if all(isinstance(field, str) for field in fields) else UNKNOWN


def require_origin(what: str, trained: Origin | None, features: Origin | None) -> None:
    """Check that a trained model is used on features of the encoder that it was trained on.

    Args:
        what: What was trained, for the message: ``"codec 'happy'"``.
        trained: Origin of the features that it was trained on; :data:`UNKNOWN` warns, None fits any features.
        features: Origin of the features that it meets; None if nobody knows, which is not checked.

    Raises:
        ValueError: They come from different encoders.
    """
    if trained is None or features is None:
        return
    if not trained.fingerprint:
        warnings.warn(
            f"the checkpoint of {what} does not say which encoder it was trained on: it is taken to be {features}; "
            "train it again to have this checked",
            stacklevel=2,
        )
    elif not trained.agrees(features):
        raise ValueError(
            f"{what} was trained on features of the encoder {trained}, these are of {features}: choose the encoder it "
            "was trained on, train it on these features, or load it with any_encoder: true if this is intended"
        )
