"""Commands killed with SIGKILL at random moments and given again: what differs from an unbroken run.

    python benchmarks/kill.py [--kills 20] [--commands "fit codec" site] [--seed 0]

Every command runs in a forked process that has imported everything already, so that the moments fall into its work. It
runs unbroken twice (which must give the same); then in new folders, killed up to four times each at moments between
its start and the time that the unbroken run took, and is given again until it ends. Compared are all files, bitwise:
checkpoints by their content, without the paths of folders; event files, logs and times are excepted. A file that a
killed run left half-written counts as a difference. The status is 1 where anything differs.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "interruption", "site"))]

import spoken_world  # noqa: E402, F401 - the tests' own stand-in for an encoder
from killed import Artefacts, Command, all_commands, left_over  # noqa: E402 - beside this file

import emoquant.cli  # noqa: E402 - imported before processes are forked
import emoquant.site  # noqa: E402, F401 - likewise
from emoquant.__main__ import main as emoquant_main  # noqa: E402 - likewise
from emoquant.data import extraction  # noqa: E402 - likewise

#: Kills of one folder before the command may end.
IN_A_ROW = 4


def start(place: Path, words: list[str]) -> int:
    """Start a command in a process group of its own; return its number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    os.chdir(place)
    log = os.open(place / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    # Shards of a fifth of a second, so that an extraction has something to go on from.
    extraction.ExtractionSettings = partial(extraction.ExtractionSettings, flush_seconds=0.2)
    sys.argv = ["emoquant"]
    try:
        emoquant_main(words)
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 99
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(status)


def end(pid: int, place: Path) -> None:
    """Wait for a command that must end well."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise RuntimeError(f"status {status}: {(place / 'output.log').read_text(errors='replace')[-3000:]}")


def kill_after(pid: int, seconds: float) -> bool:
    """Kill a command and all that it started after some time; return whether it was still running."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(min(0.005, max(0.0, until - time.monotonic())))
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # not yet a group, or over
        os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


class Trial:
    """One command: its unbroken runs, then the killed ones.

    Args:
        command: The command.
        folder: Folder of all its places.
        whole: Folders of the unbroken runs of commands before, by name.
    """

    def __init__(self, command: Command, folder: Path, whole: dict[str, Path]) -> None:
        self.command, self.folder, self.whole = command, folder, whole
        self.kills = self.folders = 0
        self.found: dict[str, int] = {}
        began = self._timed("first")
        self.seconds = self._timed("whole")
        self.right = command.artefacts(self.place("whole"))
        self.compare(command.artefacts(self.place("first")), "unbroken: ")
        self.began = began
        if not self.right:
            raise RuntimeError(f"{command.name} left nothing in {self.place('whole')}")

    def place(self, name: str) -> Path:
        """Return a folder by its name."""
        return self.folder / name

    def _timed(self, name: str) -> float:
        place, started = self.make(name), time.monotonic()
        end(start(place, self.command.words), place)
        return time.monotonic() - started

    def make(self, name: str) -> Path:
        """Make a folder in which the command can run."""
        place = self.place(name)
        place.mkdir(parents=True)
        (place / "checkpoints").symlink_to(ROOT / "checkpoints")
        for needed in self.command.needs:
            shutil.copytree(self.whole[needed] / "runs", place / "runs", dirs_exist_ok=True)
        self.command.prepare(place)
        return place

    def compare(self, artefacts: Artefacts, what: str = "") -> None:
        """Note what differs from the unbroken run."""
        names = {name for name in {*artefacts, *self.right} if artefacts.get(name) != self.right.get(name)}
        for name in sorted(names)[:8]:
            state = "lacking" if name not in artefacts else "too much" if name not in self.right else "other"
            self.note(f"{what}{name} {state}")

    def note(self, difference: str) -> None:
        """Count a difference."""
        self.found[difference] = self.found.get(difference, 0) + 1

    def run(self, draw: random.Random) -> None:
        """Break the command off in a new folder some times, and let it end."""
        self.folders += 1
        place = self.make(f"cut-{self.folders}")
        old: Artefacts = {}
        if self.command.states:
            end(start(place, [*self.command.words, "--title", "old"]), place)
            old = self.command.artefacts(place)
        ended = False
        for _ in range(IN_A_ROW):
            rival = start(place, self.command.words) if self.command.rival else 0
            ended = not kill_after(start(place, self.command.words), self.seconds * draw.random())
            self.kills += not ended
            if rival:
                end(rival, place)
            if self.command.states and self.command.artefacts(place) not in (old, self.right):
                self.note("half of it after a kill")
            if ended:
                break
        if not ended:
            end(start(place, self.command.words), place)
        self.compare(self.command.artefacts(place))
        for path in left_over(place):
            self.note(f"left over: {Path(path).parent}/*.tmp")
        if not self.found:
            shutil.rmtree(place)


def main() -> int:
    """Run the command line and return its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--commands", nargs="*", default=[], help="their names in the table; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", type=Path, help="folder for everything; a temporary one by default")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kill-"))
    commands = all_commands(folder / "corpus")
    wanted = [each for each in commands if not options.commands or each.name in options.commands]
    needed = {name for each in wanted for name in each.needs}
    print("| command | seconds unbroken | kills | in folders | what differed |\n|---|---|---|---|---|", flush=True)
    whole: dict[str, Path] = {}
    failed = 0
    for command in commands:
        if command not in wanted and command.name not in needed:
            continue
        draw = random.Random(f"{options.seed} {command.name}")
        trial = Trial(command, folder / command.name.replace(" ", "-").replace(",", ""), whole)
        whole[command.name] = trial.place("whole")
        while command in wanted and trial.kills < options.kills:
            trial.run(draw)
        said = "; ".join(f"{what} ({count})" for what, count in trial.found.items()) or "nothing"
        failed += bool(trial.found)
        print(f"| {command.name} | {trial.seconds:.1f} | {trial.kills} | {trial.folders} | {said} |", flush=True)
    if not options.keep and not failed:
        shutil.rmtree(folder)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
