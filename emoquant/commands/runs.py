"""Training and evaluation runs one after the other, each in its own process; what is finished is not run again."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from emoquant.files import write_whole

#: Folder of all runs, as the shipped YAMLs name it; relative to the working folder.
RUNS = Path("runs")
STATE, LOG = "run.json", "log.txt"
SCRIPTS = {"fit": "train.py", "test": "eval.py"}
REPOSITORY = Path(__file__).parent.parent.parent
#: What the scripts read before a run's own YAML.
DEFAULTS = REPOSITORY / "configs" / "trainer.yaml"


class Run(NamedTuple):
    """A run of a shipped or own YAML.

    Attributes:
        command: ``"fit"`` or ``"test"``.
        config: The YAML; its stem is the run's name and its folder under ``runs/``.
        flags: Further arguments of the command line.
        root: Folder of the runs; where it is not ``runs``, the run is of a copy of the YAML that names this folder.
    """

    command: Literal["fit", "test"]
    config: Path
    flags: tuple[str, ...] = ()
    root: Path = RUNS

    @property
    def folder(self) -> Path:
        """Folder of the run's versions."""
        return self.root / self.config.stem

    def digest(self) -> str:
        """Return a digest of what decides the run: YAMLs, the default one too, flags, and the runs it builds on.

        Raises:
            FileNotFoundError: There is no such YAML.
        """
        if not self.config.is_file():
            raise FileNotFoundError(f"no configuration at {self.config}: expected the YAML of a run")
        seen: dict[Path, str] = {}
        for path in (DEFAULTS, self.config, *(Path(flag.partition("=")[2] or flag) for flag in self.flags)):
            if path.suffix == ".yaml":
                _read(path, seen)
        needed = [(self.root / name / STATE) for text in [*seen.values()] for name in built_on(text)]
        states = [state.read_text(encoding="utf-8") for state in sorted(set(needed)) if state.is_file()]
        content = json.dumps([self.command, self.flags, list(seen.values()), states])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def result(self) -> Path | None:
        """Return what the newest version left: ``last.ckpt`` of a training, ``results.csv`` of an evaluation."""
        name = "checkpoints/last.ckpt" if self.command == "fit" else "results.csv"
        found = [path for path in self.folder.glob(f"version_*/{name}") if _version(path) >= 0]
        return max(found, key=_version, default=None)

    def finished(self) -> bool:
        """Whether the run is over and nothing that decides it has changed since."""
        state = _state(self.folder)
        over = state.get("digest") == self.digest() and state.get("state") == "finished"
        return over and self.result() is not None

    def arguments(self, launch: Sequence[str]) -> list[str]:
        """Return the command line; a training that was interrupted goes on from its last checkpoint."""
        script = str(REPOSITORY / SCRIPTS[self.command])
        line = [*launch, script, self.command, "--config", str(self._moved()), *self._folder(), *self.flags]
        last = self.interrupted()
        return [*line, "--ckpt_path", str(last)] if last else line

    def interrupted(self) -> Path | None:
        """Return the checkpoint that a training goes on from which was interrupted; None for one that begins."""
        state, last = _state(self.folder), self.result()
        resumed = state.get("digest") == self.digest() and state.get("state") == "started"
        if self.command == "fit" and resumed and last and last.stat().st_mtime >= float(str(state["begun"])):
            return last
        return None

    def _folder(self) -> list[str]:
        return [] if self.root == RUNS else ["--trainer.logger.init_args.save_dir", str(self.root)]

    def _moved(self) -> Path:
        """Return the YAML, or a copy of it in which ``runs`` is the root and the YAMLs that it names are absolute."""
        if self.root == RUNS:
            return self.config
        text, beside = self.config.read_text(encoding="utf-8"), self.config.resolve().parent
        text = re.sub(r"\bruns(?=/[\w-]|\s*$)", self.root.as_posix(), text, flags=re.MULTILINE)
        text = re.sub(r"(?<=: )\.\.?/[\w./-]+\.yaml", lambda found: (beside / found[0]).resolve().as_posix(), text)
        copy = self.root / "configs" / self.config.parent.name / self.config.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_whole(copy, text.encode())
        return copy


def built_on(text: str) -> list[str]:
    """Return the names of the runs whose results a YAML uses, sorted.

    Example:
        >>> built_on("save_dir: runs, checkpoint: runs/codec_sad, other: runs/codec}")
        ['codec', 'codec_sad']
    """
    return sorted(set(re.findall(r"\bruns/([\w-]+)", "\n".join(line.partition("#")[0] for line in text.split("\n")))))


def run_all(runs: Sequence[Run], launch: Sequence[str] = (), jobs: int = 1, again: bool = False) -> list[Run]:
    """Run what is not finished, and return what was run.

    The first run goes alone, since it may have to extract the features that the others read; then ``jobs`` at a time.
    With several at a time each writes its output to ``log.txt`` in its folder.

    Args:
        runs: Runs that do not build on each other.
        launch: What precedes the script, ``["torchrun", "--nproc-per-node", "4"]``; this Python by default.
        jobs: Runs at a time.
        again: Whether finished runs are run again.

    Raises:
        ValueError: ``jobs`` is below 1, two runs have one name, or a run failed; the message says where its output is.
    """
    names = [run.config.stem for run in runs]
    if jobs < 1 or len(set(names)) < len(names):
        raise ValueError(f"expected at least one job at a time and runs of different names, not {jobs} and {names}")
    due = [run for run in runs if again or not run.finished()]
    for run in runs:
        if run not in due:
            print(f"{run.config.stem}: finished before", flush=True)
    line = list(launch) or [sys.executable]
    alone = due[:1] if jobs > 1 else due
    for run in alone:
        _execute(run, line, jobs, len(due) > 1 and jobs > 1)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda run: _execute(run, line, jobs, True), due[len(alone) :]))
    return due


def _execute(run: Run, launch: Sequence[str], jobs: int, logged: bool) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    command, digest, begun = run.arguments(launch), run.digest(), time.time()
    if run.interrupted():
        begun = float(str(_state(run.folder)["begun"]))
    _note(run, digest, "started", begun)
    environment = dict(os.environ)
    if jobs > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    log = run.folder / LOG
    print(f"{run.config.stem}: {run.command}{f', output in {log}' if logged else ''}", flush=True)
    start = time.monotonic()
    if logged:
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    else:
        done = subprocess.run(command, env=environment)
    if done.returncode:
        tail = f"; it ends with:\n{_tail(log)}" if logged else ""
        raise ValueError(f"{run.config.stem} failed with status {done.returncode}{tail}")
    if run.result() is None:
        raise ValueError(
            f"{run.config.stem} left no results in {run.folder}: is `name` of its logger {run.config.stem}?"
        )
    _note(run, digest, "finished", begun)
    print(f"{run.config.stem}: done in {time.monotonic() - start:.0f} s", flush=True)


def _tail(log: Path, characters: int = 1500) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-characters:]


def _note(run: Run, digest: str, state: str, begun: float) -> None:
    content = {"digest": digest, "state": state, "begun": begun, "command": run.command, "flags": run.flags}
    write_whole(run.folder / STATE, json.dumps(content, indent=1).encode())


def _state(folder: Path) -> dict[str, object]:
    path = folder / STATE
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error
    return content if isinstance(content, dict) else {}


def _version(path: Path) -> int:
    found = re.search(r"version_(\d+)/", path.as_posix())
    return int(found[1]) if found else -1


def _read(path: Path, seen: dict[Path, str]) -> None:
    """Read a YAML and those that it names, relative to its own folder."""
    path = path.resolve()
    if path in seen or not path.is_file():
        return
    seen[path] = path.read_text(encoding="utf-8")
    for name in re.findall(r"[\w./-]+\.yaml", seen[path]):
        _read(path.parent / name, seen)
