"""The mel specification under the name by which models and checkpoints of this room know it."""

from emoquant.speech.mel import MelSpec

__all__ = ["MelSpec"]
