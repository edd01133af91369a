"""Patterns for the names of files, which say what stands where: ``{speaker}/{emotion}_*.wav``."""

import re

#: What a pattern is made of: a field with or without a width, wildcards, anything else.
_PARTS = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<any>\*\*/?|\*|\?)|(?P<text>[^{}*?]+)|(?P<wrong>[{}])")


class NamePattern:
    """A pattern for paths below a folder.

    ``{field}`` is text without ``/``, as short as what follows allows; ``{field:2}`` is of two characters. A field
    that another field or ``*`` follows directly, so that nothing delimits it, is a run of letters or a run of digits:
    ``{emotion}*.wav`` reads ``sad01.wav`` as *sad*. The same field may come twice, with the same text. ``*`` is any
    text without ``/``, ``?`` one such character, ``**`` any text, ``**/`` any number of folders. Capitals do not
    matter.

    Args:
        pattern: The pattern, with ``/`` between folders.

    Attributes:
        fields: Names of the fields, in their order.

    Raises:
        ValueError: The pattern names no emotion, a field's name or width is wrong, or a brace has no partner.

    Example:
        >>> NamePattern("{speaker}/{emotion}_*.wav").read("anna/angry_01.wav")
        {'speaker': 'anna', 'emotion': 'angry'}
        >>> NamePattern("{speaker:2}{text:3}{emotion:1}?.wav").read("03a01Fa.wav")
        {'speaker': '03', 'text': 'a01', 'emotion': 'F'}
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern.removeprefix("./")
        parts = list(_PARTS.finditer(self.pattern))
        self.fields: list[str] = []
        expression = ""
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            delimited = following is None or following["text"] is not None or following["any"] == "?"
            expression += self._expression(part, delimited)
        if "emotion" not in self.fields:
            raise ValueError(f"pattern {pattern!r} has no {{emotion}}; one such is '{{speaker}}/{{emotion}}_*.wav'")
        self._path = re.compile(expression, re.IGNORECASE)

    def _expression(self, part: re.Match[str], delimited: bool) -> str:
        if part["text"] is not None:
            return re.escape(part["text"])
        if part["any"] is not None:
            return {"?": "[^/]", "*": "[^/]*?", "**": ".*?", "**/": "(?:.*/)?"}[part["any"]]
        if part["wrong"] is not None:
            raise ValueError(f"pattern {self.pattern!r}: a brace at {part.start()} has no partner")
        name, _, width = part["field"].partition(":")
        if not re.fullmatch("[a-z_][a-z0-9_]*", name) or name == "path" or not re.fullmatch("([1-9][0-9]*)?", width):
            raise ValueError(
                f"pattern {self.pattern!r}: field {{{part['field']}}}, expected a name in small letters other than "
                "path, such as {speaker}, or one with its width in characters, {speaker:2}"
            )
        if name in self.fields:
            return f"(?P={name})"
        self.fields.append(name)
        if width:
            return f"(?P<{name}>[^/]{{{width}}})"
        return f"(?P<{name}>[^/]+?)" if delimited else rf"(?P<{name}>(?>[^\W\d_]+|\d+))"

    def read(self, path: str) -> dict[str, str] | None:
        """Return the fields of a path with ``/`` between folders; None where it does not fit."""
        found = self._path.fullmatch(path)
        return found.groupdict() if found else None
