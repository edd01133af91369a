"""Names in Markdown and LaTeX: what means something there is escaped, so that a name reads as it is."""

import re
from collections.abc import Sequence

from emoquant.reports.quantities import UNDEFINED

_LATEX = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "λ": r"$\lambda$",
    UNDEFINED: "--",
    "→": r"$\rightarrow$",
    "“": "``",
    "”": "''",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
#: What Markdown reads as more than a sign; an underscore only where a word does not go on on both sides.
_MARKS = re.compile(r"[\\`*\[\]|~$#!]|(?<![^\W_])_|_(?![^\W_])")


def latex_text(text: str) -> str:
    r"""Return plain text as LaTeX.

    Example:
        >>> print(latex_text("a^2_b & 50 %"))
        a\textasciicircum{}2\_b \& 50 \%
    """
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def markdown_text(text: str) -> str:
    r"""Return plain text as Markdown in which no sign means anything, for a paragraph or a cell of a table.

    Example:
        >>> print(markdown_text("<b>a|b</b> *c* look_ahead _d_"))
        &lt;b&gt;a\|b&lt;/b&gt; \*c\* look_ahead \_d\_
    """
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(lambda found: f"\\{found[0]}", plain)


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]], left: int | None = None) -> str:
    r"""Return a table in Markdown, which ends with a line break.

    Args:
        head: Headings.
        lines: Cells of each line.
        left: How many of the first columns are set left, the others right; none is set by default.

    Example:
        >>> print(markdown_table(["codec", "n"], [["a|b", "5"]], left=1), end="")
        | codec | n |
        | --- | ---: |
        | a\|b | 5 |
    """
    rule = ["---" if left is None or place < left else "---:" for place in range(len(head))]
    cells = [list(map(markdown_text, line)) for line in (head, *lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (cells[0], rule, *cells[1:]))


def label_text(text: str) -> str:
    """Return a name as a label of LaTeX: letters, digits, colons and hyphens."""
    return re.sub(r"[^\w:-]|_", "-", text)
