"""Shares of dropped conditions, and the steps at which phases of a voice's training begin."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConditionDropout:
    """Share of training items whose condition is replaced by a learned vector, so that synthesis can leave it out.

    Args:
        emotion: Share without emotion vector.
        speaker: Share without speaker vector.
        style: Share without local style.

    Raises:
        ValueError: A share is not in [0, 1).
    """

    emotion: float = 0.0
    speaker: float = 0.0
    style: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= share < 1 for share in (self.emotion, self.speaker, self.style)):
            raise ValueError(f"shares must be in [0, 1), not {self.emotion}, {self.speaker} and {self.style}")


@dataclass(frozen=True)
class Schedule:
    """From which training step on what happens.

    Args:
        forcing_until: Until this step the style attention is replaced by a forced diagonal.
        guided_from: From this step on attention is guided towards the diagonal.
        codebooks_from: From this step on the style codebooks are in use.
        flow_from: From this step on the post-net is trained.
    """

    forcing_until: int = 20_000
    guided_from: int = 20_000
    codebooks_from: int = 20_500
    flow_from: int = 0
