"""What estimates with 95 % intervals prove of an effect: that it is of interest, that it is not, or neither.

Results files hold intervals, not samples. A one-sided p-value is taken from the side of the interval that faces the
bound, as of a normal distribution; differences of two estimates get the interval that recovers the variances of both
(Zou and Donner 2008, Construction of confidence limits about effect measures).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from emoquant.storage.results import Row

#: Error of the first kind that a family of tests keeps together.
LEVEL = 0.05

#: What a case says of a finding.
Answer = Literal["yes", "no", "open"]

_NORMAL = NormalDist()
_REACH = _NORMAL.inv_cdf(0.975)


class Estimate(NamedTuple):
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @staticmethod
    def of(row: Row) -> "Estimate":
        """Return the figure of a row."""
        return Estimate(row.value, row.low, row.high)

    def minus(self, other: "Estimate") -> "Estimate":
        """Return the difference to another figure, as of one that does not depend on this one.

        Where both are of the same utterances the interval is too wide, so that less is proved than could be.
        """
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        value = self.value - other.value
        return Estimate(value, value - below, value + above)

    def p_above(self, bound: float) -> float:
        """Return the p-value of the hypothesis that the quantity is at most a bound; 1 where nothing is known."""
        spread = (self.value - self.low if self.value > bound else self.high - self.value) / _REACH
        if math.isnan(spread):
            return 1.0
        if spread <= 0:
            return 0.0 if self.value > bound else 1.0
        return 1 - _NORMAL.cdf((self.value - bound) / spread)

    def p_below(self, bound: float) -> float:
        """Return the p-value of the hypothesis that the quantity is at least a bound."""
        return Estimate(-self.value, -self.high, -self.low).p_above(-bound)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of figures that do not depend on each other."""
    value = sum(each.value for each in estimates) / len(estimates)
    below = math.hypot(*(each.value - each.low for each in estimates)) / len(estimates)
    above = math.hypot(*(each.high - each.value for each in estimates)) / len(estimates)
    return Estimate(value, value - below, value + above)


def holm(values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Return which of many hypotheses are rejected, such that with 95 % none is wrongly.

    Holm 1979, A simple sequentially rejective multiple test procedure.

    Args:
        values: Their p-values.
        level: Error of the first kind of all together.

    Example:
        >>> holm([0.04, 0.001, 0.02])
        [True, True, True]
        >>> holm([0.04, 0.001, 0.03])
        [False, True, False]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    rejected = [False] * len(values)
    for rank, index in enumerate(order):
        if values[index] > level / (len(values) - rank):
            break
        rejected[index] = True
    return rejected


def answers(estimates: Sequence[Estimate], bound: float) -> list[Answer]:
    """Return of each effect whether it is proved to be above a bound, proved to be below it, or neither.

    Args:
        estimates: The effects; each side is one family (:func:`holm`).
        bound: Smallest effect of interest.
    """
    above = holm([each.p_above(bound) for each in estimates])
    below = holm([each.p_below(bound) for each in estimates])
    return ["yes" if more else "no" if less else "open" for more, less in zip(above, below, strict=True)]


def equivalent(estimate: Estimate, margin: float) -> bool:
    """Return whether an effect is proved to lie within a margin around zero, by two one-sided tests.

    Schuirmann 1987, A comparison of the two one-sided tests procedure and the power approach.

    Args:
        estimate: The effect.
        margin: Effects between -margin and margin are held to be no effect, in the estimate's unit.
    """
    return max(estimate.p_above(-margin), estimate.p_below(margin)) <= LEVEL
