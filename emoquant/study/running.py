"""Runs the steps of a study: in workers that stay, or each in processes of its own; what is finished is skipped."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from emoquant.console.errors import debugging, error_block, user_errors
from emoquant.storage.runs import LAST, RESULTS, newest, read_state, versions, write_state
from emoquant.study.plan import Step, digest_of

LOG = "log.txt"


class Outcome(NamedTuple):
    """The outcome of a step.

    Attributes:
        step: The step.
        state: ``"finished"``, ``"finished before"``, ``"failed"`` or ``"stopped"`` (something it needs failed).
        why: Reason of the last two.
    """

    step: Step
    state: str
    why: str = ""

    @property
    def done(self) -> bool:
        """Whether its results are there."""
        return self.state.startswith("finished")


class Runner:
    """Runs steps in a folder of runs.

    On one device the steps run in ``jobs`` processes that stay, since importing takes longer than a short evaluation.
    They end with the study. With a launcher, or several devices, each runs in processes of its own, since DDP runs the
    command again on every device; these outlive a study that is killed. Steps that run together share the cores, and
    one that runs alone has all of them, unless ``OMP_NUM_THREADS`` sets its threads.

    Args:
        folder: Folder of the runs.
        jobs: Steps at a time.
        launch: What precedes the command, such as ``["torchrun", "--nproc-per-node", "4"]``; empty for workers.
        apart: Whether each step gets a process of its own without a launcher.
        again: Whether finished steps are run again.

    Raises:
        ValueError: ``jobs`` is below 1.
    """

    def __init__(self, folder: Path, jobs: int = 1, launch: Sequence[str] = (), apart: bool = False,
                 again: bool = False) -> None:  # fmt: skip
        if jobs < 1:
            raise ValueError(f"expected at least one job at a time, not {jobs}")
        self.folder, self.jobs, self.launch, self.again = folder, jobs, list(launch), again
        self.apart = apart or bool(launch)
        self._pool: ProcessPoolExecutor | ThreadPoolExecutor | None = None

    def run(self, steps: Sequence[Step]) -> list[Outcome]:
        """Run steps, each after those that it needs; a failed one stops what needs it and nothing else.

        Args:
            steps: Steps, each after those that it needs.
        """
        outcomes: dict[str, Outcome] = {}
        digests: dict[str, str] = {}
        for step in steps:
            digests[step.name] = digest_of(step, [digests[name] for name in step.needs if name in digests])
        waiting, running = list(steps), dict[Future[str], Step]()
        try:
            while waiting or running:
                for step in list(waiting):
                    outcome = self._before(step, digests[step.name], outcomes)
                    if outcome is not None:
                        outcomes[step.name] = outcome
                        waiting.remove(step)
                for step in list(waiting):
                    if self._may_start(step, outcomes, running):
                        waiting.remove(step)
                        ready = sum(all(name in outcomes for name in each.needs) for each in waiting)
                        together = min(self._most(outcomes), len(running) + 1 + ready)
                        running[self._start(step, digests[step.name], together)] = step
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    step = running.pop(future)
                    outcomes[step.name] = self._ended(step, digests[step.name], future)
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
                self._pool = None
        return [outcomes[step.name] for step in steps]

    def _before(self, step: Step, digest: str, outcomes: dict[str, Outcome]) -> Outcome | None:
        """Return the outcome of a step that need not or cannot run."""
        lost = [name for name in step.needs if name in outcomes and not outcomes[name].done]
        if lost:
            return Outcome(step, "stopped", f"it needs {', '.join(lost)}")
        needed = all(name in outcomes for name in step.needs)
        if needed and not self.again and self.finished(step, digest):
            print(f"{step.name}: finished before", flush=True)
            return Outcome(step, "finished before")
        return None

    def _may_start(self, step: Step, outcomes: dict[str, Outcome], running: dict[Future[str], Step]) -> bool:
        ready = all(name in outcomes for name in step.needs)
        return ready and len(running) < self._most(outcomes)

    def _most(self, outcomes: dict[str, Outcome]) -> int:
        """Return how many steps may run at a time: the first alone, as it may extract features for the others."""
        return self.jobs if any(outcome.done for outcome in outcomes.values()) else 1

    def finished(self, step: Step, digest: str) -> bool:
        """Whether a step is over and nothing that decides it has changed since."""
        state = read_state(self.folder / step.name)
        over = state.get("digest") == digest and state.get("state") == "finished"
        return over and newest(self.folder / step.name, LAST if step.trains else RESULTS) is not None

    def _start(self, step: Step, digest: str, together: int) -> "Future[str]":
        place = self.folder / step.name
        state = read_state(place)
        args = [*step.args]
        last = versions(place)
        after = last[-1].version if last else -1
        if state.get("digest") == digest and state.get("state") == "started":
            after = int(state.get("after", after))
            interrupted = [run for run in last if run.version > after and run.checkpoint.is_file()]
            if step.trains and interrupted:
                args += ["--ckpt_path", str(interrupted[-1].checkpoint)]
        write_state(place, {"digest": digest, "state": "started", "after": after, "command": args})
        log = place / LOG if self.jobs > 1 else None
        print(f"{step.name}: {step.args[0]}{f', output in {log}' if log else ''}", flush=True)
        if self._pool is None:
            self._pool = (
                ThreadPoolExecutor(self.jobs)
                if self.apart
                else ProcessPoolExecutor(self.jobs, get_context("spawn"), initializer=_begin_worker)
            )
        if self.apart:
            command = [*(self.launch or [sys.executable]), "-m", "emoquant", *args]
            return self._pool.submit(_launched, command, log, together)
        return self._pool.submit(_in_worker, args, log, together)

    def _ended(self, step: Step, digest: str, future: "Future[str]") -> Outcome:
        place, started = self.folder / step.name, read_state(self.folder / step.name)
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            self._pool, why = None, "its process ended by itself (out of memory?)"
        else:
            why = error_block(f"emoquant {step.args[0]} {step.name}", error) if error else future.result()
        if not why and newest(place, LAST if step.trains else RESULTS) is None:
            why = f"it left no results in {place}"
        if why:
            print(f"{step.name}: failed. {why}", flush=True)
            return Outcome(step, "failed", why)
        write_state(place, {**started, "state": "finished"})
        print(f"{step.name}: done", flush=True)
        return Outcome(step, "finished")


def _cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _own_threads() -> int:
    """Return the threads that torch has chosen for this process, before anybody sets others."""
    import torch

    return torch.get_num_threads()


def _begin_worker() -> None:
    """Let a worker end with its study: one that outlived it would write into the runs that the next one continues."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(args: list[str], log: Path | None, together: int) -> str:
    """Run a command in this process; return why it failed, empty if it did not."""
    if "OMP_NUM_THREADS" not in os.environ:
        import torch  # the worker has loaded it by now, so that the variable would come too late

        torch.set_num_threads(max(1, _own_threads() // together))  # with as many each they would wait for each other
    with _output_to(log):
        from emoquant.cli import run

        begun = time.monotonic()
        try:
            run(args)
        except user_errors() as error:
            if debugging():
                raise
            return error_block(f"emoquant {args[0]} {Path(args[1]).stem}", error)
        print(f"{time.monotonic() - begun:.0f} s", flush=True)
    return ""


@contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """Send what this process prints into a file."""
    if log is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    own = os.dup(1), os.dup(2)
    with log.open("wb") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, saved in zip((1, 2), own, strict=True):
                os.dup2(saved, number)
                os.close(saved)


def _launched(command: list[str], log: Path | None, together: int) -> str:
    """Run a command in processes of its own; return why it failed, empty if it did not."""
    environment = dict(os.environ)
    if together > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, _cores() // together)))
    if log is None:
        status = subprocess.run(command, env=environment).returncode
    else:
        with log.open("wb") as output:
            status = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode
    if not status:
        return ""
    tail = log.read_text(encoding="utf-8", errors="replace")[-1500:] if log else "its output says why"
    return f"status {status}: {tail}"
