"""What is written, made ready to be spoken: one form of every letter, no marks, no characters that nobody sees."""

import re
import unicodedata

#: Marks of annotators: [LAUGHTER], <breath>, {noise}, ++GARBAGE++. They are no words of the speaker.
_MARK = re.compile(r"\[[^][]*\]|<[^<>]*>|\{[^{}]*\}|\+\+[^+]*\+\+")
_OPEN = re.compile(r"[][{}<>]|\+\+")
#: Breaks of lines and pages, which are spaces to a voice, and characters of no width and no sound.
_SPACES = re.compile("[\\s\u200b]+")
_SILENT = re.compile("[\u00ad\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0e\ufe0f\ufeff]")

#: Signs that are read aloud as words.
SYMBOLS = "&%@#*/+=<>|\\^~_§°$€£"

#: English abbreviations before a name, and others, as they are spoken.
_SHORT = {
    **{"Mr": "mister", "Mrs": "missus", "Ms": "miz", "Dr": "doctor", "Prof": "professor", "St": "saint"},
    **{"Jr": "junior", "Sr": "senior", "vs": "versus", "etc": "et cetera", "e.g": "for example", "i.e": "that is"},
}
_ABBREVIATION = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, _SHORT)) + r")\.(?=(\s*$)|)")


def spoken_text(text: str) -> str:
    r"""Return a text as a front end reads it.

    Letters are composed (NFC). Marks in brackets (``[LAUGHTER]``, ``<breath>``, ``{noise}``, ``++noise++``) are left
    out. Breaks become spaces, characters without width or sound are left out, and the control characters that
    an old code page leaves (C1) become the signs that it meant (``\x92`` an apostrophe).

    Args:
        text: What is to be said.

    Raises:
        ValueError: A bracket has no partner, or there is a control character that no code page means.

    Example:
        >>> spoken_text("[LAUGHTER] Yes,\u2028cafe\u0301.")
        'Yes, café.'
    """
    whole = unicodedata.normalize("NFC", "".join(_meant(character, text) for character in text))
    plain = _MARK.sub(" ", _SPACES.sub(" ", _SILENT.sub("", whole)))
    if left := _OPEN.search(plain):
        raise ValueError(f"text {text!r} has {left[0]!r} without its partner: marks are [SO], <SO> or {{SO}}; mend it")
    return _SPACES.sub(" ", plain).strip()


def _meant(character: str, text: str) -> str:
    if unicodedata.category(character) != "Cc" or character in "\t\n\v\f\r":
        return character
    try:
        return bytes([ord(character)]).decode("cp1252") if ord(character) >= 0x80 else _refused(character, text)
    except UnicodeDecodeError:
        return _refused(character, text)


def _refused(character: str, text: str) -> str:
    raise ValueError(f"text {text!r} has the control character U+{ord(character):04X}: save the text as UTF-8 again")


def without_abbreviations(text: str) -> str:
    """Return an English text with its common abbreviations as they are spoken.

    Example:
        >>> without_abbreviations("Dr. Who vs. Mr. Smith, etc.")
        'doctor Who versus mister Smith, et cetera.'
    """
    return _ABBREVIATION.sub(lambda found: _SHORT[found[1]] + ("." if found[2] is not None else ""), text)


def character_name(character: str) -> str:
    """Return how an error names a character.

    Example:
        >>> character_name("é")
        "'é' (U+00E9, LATIN SMALL LETTER E WITH ACUTE)"
    """
    name = unicodedata.name(character, "without a name")
    return f"{character!r} (U+{ord(character):04X}, {name})"


#: Scripts of the languages that are not written in Latin letters, by the first part of their tag.
_SCRIPTS = {
    **dict.fromkeys(["ba", "be", "bg", "cv", "kk", "ky", "mk", "nog", "ru", "sr", "tt", "uk", "kaa"], ("CYRILLIC",)),
    **dict.fromkeys(["cmn", "zh", "yue", "hak"], ("CJK", "BOPOMOFO")),
    **dict.fromkeys(["hi", "mr", "ne", "kok"], ("DEVANAGARI",)),
    **dict.fromkeys(["ar", "fa", "ur", "ug", "sd"], ("ARABIC",)),
    **dict.fromkeys(["bn", "as", "bpy"], ("BENGALI",)),
    **dict.fromkeys(["el", "grc"], ("GREEK",)),
    **dict.fromkeys(["hy", "hyw"], ("ARMENIAN",)),
    **dict.fromkeys(["my", "shn"], ("MYANMAR",)),
    **dict.fromkeys(["am", "ti"], ("ETHIOPIC",)),
    **{"ja": ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"), "ko": ("HANGUL",), "he": ("HEBREW",), "th": ("THAI",)},
    **{"ka": ("GEORGIAN",), "gu": ("GUJARATI",), "pa": ("GURMUKHI",), "or": ("ORIYA",), "ta": ("TAMIL",)},
    **{"te": ("TELUGU",), "kn": ("KANNADA",), "ml": ("MALAYALAM",), "si": ("SINHALA",), "chr": ("CHEROKEE",)},
    **{"en-shaw": ("SHAVIAN",)},
}
_KNOWN = {script for scripts in _SCRIPTS.values() for script in scripts} | {"TIFINAGH", "TIBETAN", "KHMER", "LAO"}


def foreign_letters(text: str, language: str) -> list[str]:
    """Return the letters of a text that are of a script in which its language is not written.

    Args:
        text: A text, composed.
        language: Tag of the language, ``"fr-fr"``.

    Example:
        >>> foreign_letters("Ja, 你 и da", "de")
        ['你', 'и']
    """
    own = _SCRIPTS.get(language, _SCRIPTS.get(language.split("-")[0], ()))
    letters = [each for each in dict.fromkeys(text) if not each.isascii() and unicodedata.category(each)[0] == "L"]
    return [each for each in letters if (script := _script(each)) in _KNOWN and script not in own]


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]
