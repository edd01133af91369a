"""The commands ``train-all`` and ``study``: many trainings, many evaluations, one page."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from emoquant.commands.runs import RUNS, Run, built_on, run_all
from emoquant.files import read_text
from emoquant.reports.findings_table import findings_html, found_in, write_findings
from emoquant.reports.output import write_file
from emoquant.reports.pages import Section, study_page
from emoquant.results import read_results

CONFIGS = Path(__file__).parent.parent.parent / "configs"

#: The experiments of a study that names none; all of them need nothing but a corpus with emotions.
EXPERIMENTS = (
    "lambda_sweep",
    "plain_mode",
    "look_ahead",
    "greedy_vs_lambda",
    "biased_codebooks",
    "codebook_choice",
    "neutral_first",
    "multi_reference",
    "mixed_codebooks",
)


def train_all(args: Sequence[str]) -> list[Run]:
    """Train from several YAMLs, skipping what is finished: ``emoquant train-all configs/train/codec_*.yaml``.

    Args:
        args: Arguments after the command's name; what follows ``--`` goes to every training.

    Raises:
        ValueError: A training failed.
    """
    args, flags = _divided(args)
    parser = _parser("train-all", "Train from several YAMLs, one after the other; what is finished is skipped.")
    parser.add_argument("configs", nargs="+", type=Path, metavar="CONFIG", help="YAML of a training run")
    options = parser.parse_args(args)
    runs = [Run("fit", config, flags, options.folder) for config in options.configs]
    return run_all(runs, shlex.split(options.launch), options.jobs, options.again)


def study(args: Sequence[str]) -> Path:
    """Train what experiments need, evaluate, and write one page: ``emoquant study``.

    A training or an evaluation that is finished, and that nothing has changed for since, is not run again.

    Args:
        args: Arguments after the command's name; what follows ``--`` goes to every training and evaluation, so
            ``emoquant study --folder runs/esd -- --data configs/data/esd.yaml`` is the study on another corpus.

    Returns:
        The page.

    Raises:
        FileNotFoundError: An experiment or the training of a codec that it needs has no YAML.
        ValueError: A run failed.
    """
    args, flags = _divided(args)
    parser = _parser("study", "Run experiments with the trainings that they need, and write one page of all of them.")
    shipped = [CONFIGS / "eval" / f"{name}.yaml" for name in EXPERIMENTS]
    parser.add_argument("experiments", nargs="*", type=Path, metavar="CONFIG", help="YAMLs of evaluations")
    parser.add_argument("--page", type=Path, help="the page (default: study.html in the folder of the runs)")
    parser.add_argument("--title", default="What quantization leaves of emotions", help="heading of the page")
    parser.add_argument("--fit", default="", metavar="FLAGS", help="flags of trainings only, as one argument")
    parser.add_argument("--test", default="", metavar="FLAGS", help="flags of evaluations only, as one argument")
    options = parser.parse_args(args)
    experiments, root = options.experiments or shipped, options.folder
    launch = shlex.split(options.launch)
    trainings = [Run("fit", path, (*shlex.split(options.fit), *flags), root) for path in trainings_of(experiments)]
    run_all(trainings, launch, options.jobs, options.again)
    evaluations = [Run("test", path, (*shlex.split(options.test), *flags), root) for path in experiments]
    run_all(evaluations, launch, options.jobs, options.again)
    place = options.page or root / "study.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    sections = [_section(run) for run in evaluations]
    found = found_in([(section.title, section.rows) for section in sections])
    if found:
        write_findings(place.parent, found)
    page = write_file(place, study_page(options.title, sections, findings_html(found)))
    print(page)
    return page


def trainings_of(experiments: Sequence[Path]) -> list[Path]:
    """Return the YAMLs of the trainings whose runs experiments load, beside them in ``train/``, each once.

    Raises:
        FileNotFoundError: An experiment has no YAML, or a run that it loads has none.
    """
    found: dict[Path, None] = {}
    for experiment in experiments:
        if not experiment.is_file():
            raise FileNotFoundError(f"no configuration at {experiment}: expected the YAML of an evaluation")
        for name in built_on(experiment.read_text(encoding="utf-8")):
            path = experiment.parent.parent / "train" / f"{name}.yaml"
            if not path.is_file():
                raise FileNotFoundError(f"{experiment} loads runs/{name}, but there is no {path} to train it with")
            found[path] = None
    return list(found)


def _section(run: Run) -> Section:
    results = run.result()
    if results is None:
        raise FileNotFoundError(f"{run.folder} has no results.csv: add the callback ResultsWriter to {run.config}")
    config = results.parent / "config.yaml"
    text = read_text(config) if config.is_file() else ""
    return Section(run.config.stem.replace("_", " "), results.parent / "reports", read_results(results), text)


def _divided(args: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    args = list(args)
    place = args.index("--") if "--" in args else len(args)
    return args[:place], tuple(args[place + 1 :])


def _parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"emoquant {name}", description=about, epilog="What follows -- goes to every run, --data NAME.yaml for one."
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default: 1)")
    parser.add_argument("--folder", type=Path, default=RUNS, help="folder of all runs (default: runs), one a corpus")
    parser.add_argument("--launch", default="", help="launcher, for example 'torchrun --nproc-per-node 4'")
    parser.add_argument("--again", action="store_true", help="run what is finished, too")
    return parser
