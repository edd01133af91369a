"""What jsonargparse says, in one line."""

import re
from collections.abc import Iterable

from emoquant.storage.shipped import did_you_mean

#: Beginnings of lines of jsonargparse that say nothing to a user: types that were tried, and the value once more.
NOISE = ("Does not validate against", "Subtypes:", "Errors:", "Given value", "Namespace", "Expected a path but",
          "Expected a <class 'NoneType'>")  # fmt: skip

#: How jsonargparse says that a class has no such option.
_REFUSED = re.compile(r"Option '([^']+)' is not accepted")


def readable(message: str, options: Iterable[str] = ()) -> str:
    """Return the core of a parser's message in one line: what it is about, the reasons, and the nearest option.

    Args:
        message: What jsonargparse says.
        options: Options that there are.
    """
    lines = [line.strip(" -") for line in message.splitlines() if line.strip()]
    text = "; ".join(line for line in lines if not line.startswith(NOISE)) or message
    text = text.replace(":; ", ": ").replace("Parser key ", "option ")
    unknown = [word.strip("'\",") for word in text.replace("=", " ").split() if word.strip("'\"").startswith("--")]
    unknown = unknown if "nrecognized" in text else [f"--{name}" for name in re.findall(_REFUSED, text)]
    told = not unknown or "did you mean" in text  # a part's parser has said it already
    near = "" if told else did_you_mean(unknown[0], [option for option in options if not option.endswith("+")])
    return f"{text}{near and '; ' + near}"
