"""The page of results: the findings of the study under every corpus, encoder and classifier that was tried."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from emoquant.reports.methods import chosen_lines
from emoquant.reports.quantities import row_text
from emoquant.reports.rows import UNQUANTIZED, Results, classifiers_in
from emoquant.reports.verdicts import VERDICTS
from emoquant.reports.writing import markdown_table, markdown_text
from emoquant.storage.results import Row

#: What a table shows where nothing was run.
NOT_RUN = "not run"
#: Verdicts that say something of a finding, from what speaks for it to what speaks against it.
_ORDER = ("holds", "in part", "open", "does not hold", "collapse", "withheld")


class Part(NamedTuple):
    """What was run in one folder: a corpus with an encoder, by the corpus's splits or by folds and seeds.

    Attributes:
        corpus: Name of the corpus.
        encoder: Name of the encoder.
        kind: ``"experiments"`` or ``"sweeps"`` (with folds and seeds).
        findings: Lines of its findings.csv.
        rows: Rows of each evaluation, by its name.
    """

    corpus: str
    encoder: str
    kind: str
    findings: Sequence[Mapping[str, str]]
    rows: Mapping[str, Sequence[Row]]


def results_page(
    parts: Sequence[Part], corpora: Sequence[str], encoders: Sequence[str], command: str, rates: Sequence[float]
) -> str:
    """Return the page in Markdown.

    Args:
        parts: What there is.
        corpora: All corpora of the plan, in their order.
        encoders: All encoders of the plan.
        command: Command that makes the page.
        rates: Bits a frame of the table of rates.
    """
    ran = {(part.corpus, part.encoder) for part in parts}
    tried = f"{len(ran)} of {len(corpora) * len(encoders)} pairs of a corpus and an encoder"
    verdicts = "; ".join(f"*{name}*: {meaning}" for name, meaning in VERDICTS.items())
    blocks = [
        "# The findings of the study, held against corpora, encoders and classifiers",
        f"This page is written by `{command}` from the `findings.csv` and `results.csv` of its runs, of {tried}. "
        f"Where a run is missing, the page says *{NOT_RUN}*. The development data are acted and read speech only: "
        "spontaneous speech was never tested.",
        f"Verdicts. {verdicts}. Cases, rules and figures of every verdict are in `findings.csv`; a finding is tested "
        "under each classifier (`head`: the encoder's own; `probe`: linear, `probe_lda`: linear discriminant analysis, "
        "both trained on the corpus's training speakers).",
        "## What was run\n\n" + _run_table(parts, corpora, encoders),
        "## What is known before coding\n\n" + _before(parts),
        "## Findings\n\n" + _summary(parts, corpora, encoders),
        *_details(parts, corpora, encoders),
        "## At equal rates\n\n" + _rates(parts, rates),
        "## Emotion by codebook\n\n" + _methods(parts),
    ]
    return "\n\n".join(block.rstrip() for block in blocks) + "\n"


def _run_table(parts: Sequence[Part], corpora: Sequence[str], encoders: Sequence[str]) -> str:
    lines = []
    for encoder in encoders:
        for kind in ("experiments", "sweeps"):
            found = {part.corpus: part for part in parts if (part.encoder, part.kind) == (encoder, kind)}
            lines.append([encoder, kind, *(_ran(found.get(corpus)) for corpus in corpora)])
    about = (
        "Experiments: the splits of the corpora, one seed; sweeps: of the default, the study's plain and the transform "
        "codec, every speaker tested once (folds), three seeds."
    )
    return f"{markdown_table(['encoder', 'runs', *corpora], lines)}\n{about}"


def _ran(part: Part | None) -> str:
    if part is None or not part.rows:
        return NOT_RUN
    seeds = max((row.seeds for rows in part.rows.values() for row in rows), default=1)
    return ", ".join(part.rows) + (f" ({seeds} seeds)" if seeds > 1 else "")


def _before(parts: Sequence[Part]) -> str:
    """Return a table of what each classifier recognises before coding, and of what the encoder knows of the test."""
    lines = []
    for part in parts:
        rows = next(iter(part.rows.values()), None)
        for classifier in classifiers_in(rows) if rows is not None else ():
            results = Results(rows or (), classifier)
            uar = results.find("uar", UNQUANTIZED, math.nan)
            if uar is not None:
                chance = f"{100 / max(1, len(results.emotions('recall'))):.0f}"
                speakers = str(uar.speakers) if uar.speakers else "1"
                known = [
                    part.corpus,
                    part.encoder,
                    part.kind,
                    classifier,
                    row_text(uar, by_speaker=True),
                    chance,
                    str(uar.n),
                    speakers,
                ]
                lines.append([*known, _heard(results)])
    if not lines:
        return NOT_RUN
    head = ["corpus", "encoder", "runs", "classifier", "UAR %", "chance %", "n", "test speakers", "the encoder knows"]
    return (
        f"{markdown_table(head, lines)}\nIn brackets: 95 % intervals clustered by speaker where there are two or more. "
        "A test speaker who is known was heard by the encoder in its training; in folds the encoder is the same for "
        "all."
    )


def _heard(results: Results) -> str:
    hows = results.targets("heard_corpus")
    share = results.find("heard_speakers", UNQUANTIZED, math.nan)
    said = [f"the corpus ({', '.join(how.replace('_', ' ') for how in hows)})"] if hows else []
    said += [f"{share.value:.0%} of the test speakers"] if share is not None else []
    return "; ".join(said) or "nothing that is known"


def _verdict(line: Mapping[str, str]) -> str:
    return line["verdict"].partition(" (")[0]


def _statements(parts: Sequence[Part]) -> list[str]:
    return [*dict.fromkeys(line["finding of the study"] for part in parts for line in part.findings)]


def _summary(parts: Sequence[Part], corpora: Sequence[str], encoders: Sequence[str]) -> str:
    """Return what holds under all, under some and under none, and what could not be told."""
    lines = []
    for statement in _statements(parts):
        found = [
            (_verdict(line), part) for part in parts for line in part.findings
            if line["finding of the study"] == statement
        ]  # fmt: skip
        told = [verdict for verdict, _ in found if verdict not in ("withheld", "open")]
        counts = {verdict: sum(each == verdict for each, _ in found) for verdict in _ORDER}
        said = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if count)
        pairs = {(part.corpus, part.encoder) for _, part in found}
        lines.append([statement, _over_all(told), said, f"{len(pairs)} of {len(corpora) * len(encoders)}"])
    if not lines:
        return NOT_RUN
    head = ["finding of the study", "together", "verdicts over corpora, encoders, codecs, classifiers", "pairs tested"]
    return f"{markdown_table(head, lines)}\nA pair is a corpus with an encoder; the others were never tested."


def _over_all(told: Sequence[str]) -> str:
    """Return what verdicts come to, those that are open or withheld left out."""
    if not told:
        return "not told by any"
    holds = sum(verdict == "holds" for verdict in told)
    partly = sum(verdict == "in part" for verdict in told)
    if holds == len(told):
        return "holds under all"
    said = [f"{word} under {count}" for word, count in (("holds", holds), ("in part", partly)) if count]
    if said:
        return f"{', '.join(said)} of {len(told)}"
    return "holds under none"


def _details(parts: Sequence[Part], corpora: Sequence[str], encoders: Sequence[str]) -> list[str]:
    """Return a table of verdicts for every finding: codecs, encoders and classifiers against corpora."""
    blocks = []
    for statement in _statements(parts):
        cells: dict[tuple[str, str, str, str], dict[str, str]] = {}
        for part in parts:
            for line in part.findings:
                if line["finding of the study"] == statement:
                    key = part.encoder, line["classifier"] or "-", line["codec"], part.kind
                    cells.setdefault(key, {})[part.corpus] = line["verdict"]
        ordered = sorted(cells, key=lambda key: encoders.index(key[0]))
        lines = [[*key, *(cells[key].get(corpus, NOT_RUN) for corpus in corpora)] for key in ordered]
        head = ["encoder", "classifier", "codec", "runs", *corpora]
        blocks.append(f"### {markdown_text(statement)}\n\n{markdown_table(head, lines)}")
    return blocks


def _rates(parts: Sequence[Part], rates: Sequence[float]) -> str:
    """Return agreement and UAR of codecs at rates that validation data placed."""
    lines = []
    for part in parts:
        for name, rows in part.rows.items():
            for classifier in classifiers_in(rows):
                results = Results(rows, classifier)
                for placed in (r for r in results.rows if r.metric == "target_bits_per_frame" and r.value in rates):
                    found = [results.find(metric, placed.codec, placed.lmbda) for metric in ("uar", "agreement")]
                    texts = ["" if row is None else row_text(row, by_speaker=True) for row in found]
                    where = [part.corpus, part.encoder, part.kind, name, classifier, f"{placed.value:g}"]
                    lines.append([*where, *texts])
    head = ["corpus", "encoder", "runs", "evaluation", "classifier", "bits a frame", "UAR %", "agreement %"]
    return markdown_table(head, lines) if lines else NOT_RUN


def _methods(parts: Sequence[Part]) -> str:
    """Return what choices among codebooks reach where validation data chose their points."""
    head, lines = [], []
    for part in parts:
        for name, rows in part.rows.items():
            results = Results(rows)
            head, *found = chosen_lines(results, ["none", "balanced"])
            lines += [[part.corpus, part.encoder, part.kind, name, *line] for line in found]
    if not lines:
        return NOT_RUN
    about = (
        "Macro-F1 at the layer, or lambda, that is best on validation data, and what it is over the features before "
        "coding (*none*) and over the balanced codebook. In brackets: 95 % intervals, which leave out one speaker at a "
        "time; gains are paired by utterance."
    )
    return f"{markdown_table(['corpus', 'encoder', 'runs', 'evaluation', *head], lines)}\n{about}"
