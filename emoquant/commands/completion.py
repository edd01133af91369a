"""The command ``completion``: a script that lets a shell complete the words of ``emoquant``."""

from typing import Literal

from emoquant.commands import COMMANDS
from emoquant.console.words import KINDS
from emoquant.storage.shipped import config_names

_WORDS = ("--data", "--encoder", "--emotions", "--folder", "--name", "--seed", "--devices", "--ckpt_path", "--help")
_SCRIPT = """_emoquant() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" found="{words}"
  if [ "$COMP_CWORD" = 1 ]; then found="{commands}"
  elif [ "$before" = --data ]; then found="{data}"
  elif [ "$COMP_CWORD" = 2 ]; then case "$before" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$found" -- "$word"))
}}
complete -o default -F _emoquant emoquant"""


def completion(shell: Literal["bash", "zsh"] = "bash") -> str:
    """Print a script that lets a shell complete commands, configurations, corpora and words.

    For bash: eval "$(emoquant completion)", also in ~/.bashrc.

    Args:
        shell: The shell.

    Returns:
        The script.
    """
    names = {
        command: " ".join(name for kind in kinds for name in config_names(kind)) for command, kinds in KINDS.items()
    }
    names["study"] = " ".join(config_names("eval"))
    cases = "\n".join(f'    {command}) found="{found} $found" ;;' for command, found in names.items())
    words, data = " ".join(_WORDS), " ".join(config_names("data"))
    script = _SCRIPT.format(words=words, commands=" ".join(COMMANDS), data=data, cases=cases)
    if shell == "zsh":
        script = f"autoload -U +X bashcompinit && bashcompinit\n{script}"
    print(script)
    return script
