"""What a finding of the study is, and the verdicts that results can give of it."""

from collections.abc import Sequence
from typing import NamedTuple

from emoquant.reports.evidence import Answer

#: What each verdict means, for those who read a table of findings.
VERDICTS = {
    "holds": "an effect of at least the stated size is proved in every case",
    "in part": "it is proved in some cases",
    "does not hold": "an effect of that size is excluded in every case",
    "open": "it is proved in no case and not excluded in all: there are too few utterances to tell",
    "collapse": "where the rule looks, no more is left than a constant output gives, which says nothing of emotions",
    "withheld": "the classifier does not know the corpus",
}


class Case(NamedTuple):
    """One observation: what it is of, whether it speaks for the finding, and its figure."""

    name: str
    answer: Answer
    figure: str


class Finding(NamedTuple):
    """A statement of the study and what results say of it.

    Attributes:
        statement: What the study found.
        rule: When a case counts for it.
        cases: The cases.
        remark: A figure beside them; may be empty.
        collapse: Why nothing is left where the rule looks; empty where something is.
        doubt: Why recognition says nothing on the corpus; empty where it does.
    """

    statement: str
    rule: str
    cases: Sequence[Case]
    remark: str = ""
    collapse: str = ""
    doubt: str = ""

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        if self.doubt or self.collapse:
            return "withheld" if self.doubt else "collapse"
        found = [case.answer for case in self.cases]
        if "yes" in found:
            return "holds" if set(found) == {"yes"} else "in part"
        return "open" if "open" in found else "does not hold"
