"""Every command on the page about scaling is one that the parsers know."""

import re
import shlex
from pathlib import Path

import pytest

from emoquant.__main__ import main
from emoquant.cli import evaluate, train

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "scaling.md"


def commands():
    text = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    text = text.replace("\\\n", " ")
    text = text.replace("$SLURM_ARRAY_TASK_ID", "3").replace("$SLURM_ARRAY_TASK_COUNT", "16").replace("$HEAD", "head")
    for line in text.splitlines():
        for begin in ("train.py ", "eval.py ", "emoquant "):
            if begin in line and not line.startswith("#"):
                yield begin.strip(), shlex.split(line[line.index(begin) + len(begin) :])
                break


def test_the_page_has_commands_of_every_kind():
    kinds = [kind for kind, _ in commands()]
    assert {"train.py", "eval.py", "emoquant"} == set(kinds)
    assert len(kinds) >= 7


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "words"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_commands_parse(kind, words, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run = {"train.py": train, "eval.py": evaluate, "emoquant": main}[kind]
    with pytest.raises(SystemExit) as ended:
        run([*words, "--print_config"])
    assert ended.value.code in (0, None), capsys.readouterr().err
