"""The command ``study``: every training and evaluation that the data allow, and one page of all of them."""

import json
import shlex
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from emoquant.console.words import require_same
from emoquant.reports.defaults import default_reports
from emoquant.reports.findings_table import found_in, write_findings
from emoquant.reports.output import write_file
from emoquant.reports.pages import Section, study_page
from emoquant.reports.redraw import FOLDER, configured_reports
from emoquant.storage.files import read_text
from emoquant.storage.results import read_results, write_results
from emoquant.storage.runs import RESULTS, RUNS, Begun, begin, begun_in, newest
from emoquant.study.corpus import Offer, look_at, open_data
from emoquant.study.estimate import extraction_minutes, minutes
from emoquant.study.plan import (
    GROUPS,
    Experiment,
    Plan,
    Step,
    experiments_named,
    make_plan,
    shipped_experiments,
)
from emoquant.study.repetitions import TOGETHER, Repetition, repetitions
from emoquant.study.running import Outcome, Runner
from emoquant.study.seeds import merge_seeds

#: Folder of the figures of several seeds inside the folder of runs.
SEEDS = "seeds"


def study(
    experiments: list[str] | None = None,
    data: str | None = None,
    encoder: str | None = None,
    emotions: list[str] | None = None,
    folder: Path = Path(RUNS),
    seeds: list[int] | None = None,
    folds: int = 0,
    devices: int = 1,
    jobs: int = 1,
    launch: str = "",
    classifiers: list[str] | None = None,
    fit: str = "",
    test: str = "",
    again: bool = False,
    dry_run: bool = False,
    title: str = "What quantization leaves of emotions",
    page: Path | None = None,
) -> Path | None:
    """Train what experiments need, evaluate, and write one page.

    A training or an evaluation that is finished, and that nothing has changed for since, is not run again. What fails
    stops what builds on it and nothing else.

    Args:
        experiments: Names of shipped experiments or YAMLs of evaluations, or ``followup`` for all of arXiv 2603.21224;
            by default all shipped ones but these.
        data: The corpus: a shipped name, a YAML or a CSV; what the folder was begun with by default.
        encoder: The encoder: a name on a hub, a folder or a YAML.
        emotions: Emotions that are kept.
        folder: Folder of all runs, one a corpus.
        seeds: Seeds that all trainings and evaluations are repeated with; results are then means with intervals over
            seeds, too.
        folds: Folds that divide the corpus instead of its own splits, so that every speaker is tested once (every
            session of IEMOCAP): all trainings and evaluations are repeated in each, and results are of all utterances
            together, each through the codec of its fold. A corpus of EmoBox has as many as its metadata; 0 for none.
        devices: Devices of every run; above 1 each runs in processes of its own.
        jobs: Runs at a time.
        launch: Launcher of every run, such as 'torchrun --nproc-per-node 4'.
        classifiers: Classifiers of every evaluation, trained where they are runs: 'head', 'probe', 'probe_lda'; the
            encoder's head by default, or a probe where it will not do. Findings say under which of them they hold.
        fit: Further options of every training, as one argument.
        test: Further options of every evaluation, as one argument.
        again: Run what is finished, too.
        dry_run: Print the plan with estimated minutes, and do nothing.
        title: Heading of the page.
        page: The page; study.html in the folder by default.

    Returns:
        The page; None for a dry run.

    Raises:
        FileNotFoundError: An experiment, a corpus or the training of a codec has no file.
        ValueError: The data do not fit the folder, no experiment is possible, or no evaluation succeeded.
    """
    before, said = begun_in(folder), Begun(data, encoder, emotions)
    if before is not None:
        require_same(str(folder), before, said)
        said = Begun(said.data or before.data, said.encoder or before.encoder, said.emotions or before.emotions)
    wanted = [each for name in experiments or () for each in experiments_named(name)] or shipped_experiments()
    offer = look_at(open_data(said))
    words = _words(said, offer, devices, bool(launch))
    plan = make_plan(wanted, offer, words, classifiers or ())
    plan.steps.sort(key=_turn(plan.steps, offer))
    print(_table(wanted, plan, offer), flush=True)
    if dry_run:
        return None
    if not any(not step.trains for step in plan.steps):
        raise ValueError(f"none of the experiments is possible on {offer.name}: the table above says why")
    begin(folder, said._replace(emotions=_kept(said, offer)))
    outcomes: dict[Repetition, list[Outcome]] = {}
    for repetition in repetitions(folder, seeds, folds):
        runner = Runner(repetition.place, jobs, shlex.split(launch), devices > 1, again)
        steps = [_placed(step, repetition, fit if step.trains else test) for step in plan.steps]
        outcomes[repetition] = runner.run(steps)
    written = _write_page(page or folder / "study.html", title, folder, wanted, outcomes)
    print(written)
    _require_all(outcomes)
    return written


def help_text() -> str:
    """Return the shipped experiments with what each needs of the data."""
    lines = []
    for experiment in [*shipped_experiments(), *(each for group in GROUPS for each in experiments_named(group))]:
        needs = f" (needs {', '.join(experiment.needs)})" if experiment.needs else ""
        lines.append(f"  {experiment.name}{needs}: {textwrap.shorten(experiment.about, 90, placeholder=' ...')}")
    return "\n".join(["experiments:", *lines])


def _words(said: Begun, offer: Offer, devices: int, launched: bool) -> tuple[str, ...]:
    words = ["--data", said.data] if said.data else []
    words += ["--encoder", said.encoder] if said.encoder else []
    kept = _kept(said, offer)
    words += ["--emotions", json.dumps(kept)] if kept else []
    return (*words, *([] if launched else ["--devices", str(devices)]))


def _kept(said: Begun, offer: Offer) -> list[str] | None:
    """Return the emotions that every command must name: those asked for, or those that the corpus has in all splits."""
    return offer.emotions if said.emotions is not None or offer.lacking else None


def _turn(steps: Sequence[Step], offer: Offer) -> Callable[[Step], tuple[int, float]]:
    """Return the sort key of steps that run several at a time: what needs nothing first, the others as they are.

    The shortest step that needs nothing is the very first: it extracts features for the others and runs alone. Then
    come the longest, so that none is left alone at the end.
    """
    shortest = min((step for step in steps if not step.needs), key=lambda step: minutes(step, offer), default=None)

    def turn(step: Step) -> tuple[int, float]:
        if step.needs:
            return 2, 0.0
        return int(step is not shortest), -minutes(step, offer)

    return turn


def _placed(step: Step, repetition: Repetition, more: str) -> Step:
    """Return a step in the folder of its runs, with its seed, its fold and further options."""
    return step._replace(args=(*step.args, *repetition.words(step), *shlex.split(more)))


def _table(wanted: Sequence[Experiment], plan: Plan, offer: Offer) -> str:
    """Return the plan as a table: what runs, how long it takes, and what is left out for which reason."""
    counts = ", ".join(f"{count} {split}" for split, count in offer.counts.items())
    lines = [f"{offer.name}: {counts} utterances of {', '.join(offer.emotions)}; {offer.speakers} test speakers"]
    lines += [f"left out: {', '.join(offer.lacking)} (not in every split)"] if offer.lacking else []
    lines += [f"a probe is trained as the classifier: {offer.probe}"] if offer.probe else []
    lines += ["", f"{'training':<24}{'minutes':>8}"]
    total = extraction_minutes(offer)
    for step in plan.steps:
        total += minutes(step, offer)
        if step.trains:
            lines.append(f"{step.name:<24}{minutes(step, offer):>8.1f}")
    lines += ["", f"{'experiment':<24}{'minutes':>8}  what it shows, or why it is left out"]
    steps = {step.name: step for step in plan.steps}
    for experiment in wanted:
        if experiment.name in plan.left_out:
            lines.append(f"{experiment.name:<24}{'-':>8}  left out: {plan.left_out[experiment.name]}")
        else:
            about = textwrap.shorten(experiment.about, 80, placeholder=" ...")
            lines.append(f"{experiment.name:<24}{minutes(steps[experiment.name], offer):>8.1f}  {about}")
    return "\n".join([*lines, f"about {total:.0f} minutes of one CPU core for each seed, estimated", ""])


def _write_page(
    place: Path, title: str, folder: Path, wanted: Sequence[Experiment], outcomes: dict[Repetition, list[Outcome]]
) -> Path:
    """Write the page of all evaluations that succeeded, and the findings beside it.

    Raises:
        ValueError: None succeeded.
    """
    done: dict[str, list[tuple[Path, Path]]] = {}
    for repetition, ended in outcomes.items():
        for outcome in ended:
            run = newest(repetition.place / outcome.step.name, RESULTS)
            if not outcome.done or outcome.step.trains or run is None:
                continue
            results = repetition.results(outcome.step.name, run.folder)
            before = done.setdefault(outcome.step.name, [])
            if results is not None and all(results != other for _, other in before):  # folds share theirs
                before.append((run.folder, results))
    sections = [_section(each, done[each.name], folder) for each in wanted if done.get(each.name)]
    if not sections:
        raise ValueError("no evaluation succeeded: the lines above say why")
    place.parent.mkdir(parents=True, exist_ok=True)
    found = found_in([(section.title, section.rows) for section in sections])
    if found:
        write_findings(place.parent, found)
    return write_file(place, study_page(title, sections))


def _section(experiment: Experiment, runs: Sequence[tuple[Path, Path]], folder: Path) -> Section:
    """Return the part of the page of one experiment; figures of seeds are merged, those of folds together drawn anew.

    Args:
        experiment: The experiment.
        runs: Of each seed a run, and its results or those of all folds.
        folder: Folder of all runs.
    """
    first, results = runs[0]
    config = first / "config.yaml"
    text = read_text(config) if config.is_file() else ""
    reports = first / FOLDER
    rows = merge_seeds([read_results(found) for _, found in runs])
    if len(runs) > 1 or results.parent != first:
        place = folder / (SEEDS if len(runs) > 1 else TOGETHER) / experiment.name
        write_results(place / RESULTS, rows)
        reports = place / FOLDER
        for report in configured_reports(config) or default_reports(rows):
            report.write(rows, reports)
    return Section(experiment.name.replace("_", " "), reports, rows, text)


def _require_all(outcomes: dict[Repetition, list[Outcome]]) -> None:
    """Name what failed, once the page of the rest is written.

    Raises:
        ValueError: Something failed or was stopped.
    """
    lost = [outcome for found in outcomes.values() for outcome in found if not outcome.done]
    if lost:
        text = "; ".join(f"{outcome.step.name} {outcome.state} ({outcome.why})" for outcome in lost)
        raise ValueError(f"the page lacks what did not succeed: {text}")
