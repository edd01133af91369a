# ruff: noqa: RUF001 (IPA)
"""From the IPA of espeak-ng's American English to ARPAbet without stress."""

from collections.abc import Sequence

_VOWELS = {
    "ɑː": "AA", "ɑ": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔː": "AO", "ɔ": "AO", "aʊ": "AW", "aɪ": "AY",
    "ɛ": "EH", "ɜː": "ER", "ɚ": "ER", "eɪ": "EY", "ɪ": "IH", "ᵻ": "IH", "iː": "IY", "i": "IY", "oʊ": "OW", "ɔɪ": "OY",
    "ʊ": "UH", "uː": "UW", "u": "UW", "o": "OW", "a": "AA", "ɒ": "AA", "e": "EH",
}  # fmt: skip
_CONSONANTS = {
    "b": "B", "tʃ": "CH", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "dʒ": "JH", "k": "K", "l": "L", "m": "M",
    "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "T", "ʔ": "T", "θ": "TH",
    "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH", "x": "K",
}  # fmt: skip
_SYMBOLS = sorted({**_VOWELS, **_CONSONANTS}.items(), key=lambda pair: -len(pair[0]))


def arpabet_of(labels: Sequence[str]) -> list[str]:
    """Return the ARPAbet of phone labels, the longest match first; stress and marks of length are dropped.

    Args:
        labels: Phones as espeak-ng writes them; one may be several (``"ˈɔːɹ"``).

    Raises:
        ValueError: A label has a symbol without counterpart in English.

    Example:
        >>> arpabet_of(["f", "ˈɔːɹ"])
        ['F', 'AO', 'R']
    """
    found: list[str] = []
    for label in labels:
        rest = label.lstrip("ˈˌ")
        while rest:
            for symbol, name in _SYMBOLS:
                if rest.startswith(symbol):
                    found.append(name)
                    rest = rest[len(symbol) :]
                    break
            else:
                if rest[0] not in "ːˈˌ̩ʲ.":
                    raise ValueError(f"phone {label!r} has no counterpart in ARPAbet; use an espeak front end instead")
                rest = rest[1:]
    return found
