"""Texts of the pages of a site."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from emoquant.reports.leaderboard import Entry
from emoquant.site.material import Kind, ListeningRun
from emoquant.site.sounds import LOWEST, Sound, Soundbank

REPORT = "Every figure and table of the study, each with the numbers that it was drawn from."
PROVENANCE = "Corpora, configurations, digests of the weights and versions of everything that this site was made of."
#: What a build without a part says.
LACKING = {
    "lambda": "listening over \u03bb",
    "codebooks": "listening across codebooks",
    "mixing": "mixing",
    "report": "the report",
}
LEADERBOARD = {
    "heading": "Leaderboard",
    "lead": "What codecs leave of emotions, and at how many bits a second.",
    "caption": "In brackets: 95 % intervals. Points are nominal bits a second of codecs of audio, \u03bb of others.",
}
CONDITIONS = {"A": "emotion vector alone", "B": "with local style"}
KEYS = (
    ("Space", "play or pause"),
    ("R", "the reference, and back"),
    ("U", "unquantized, and back"),
    ("V", "the reference through the vocoder, and back"),
    ("N", "a random emotion vector, and back"),
    ("C", "the other condition"),
    ("P", "keep this sound as A"),
    ("X", "flip between A and this one"),
    ("B", "blind test"),
    ("L", "repeat"),
    ("M", "equal or own loudness"),
    ("?", "this list"),
)


class Page(NamedTuple):
    """Texts of a listening page.

    Attributes:
        short: In the navigation.
        heading: Its heading.
        lead: What one hears.
        slider: Label of the slider.
        codec: Label of the choice of codecs.
        keys: Keys of the arrows.
    """

    short: str
    heading: str
    lead: str
    slider: str
    codec: str
    keys: tuple[tuple[str, str], ...]


_ROWS = (
    ("\u2190 \u2192", "lower or higher on the slider"),
    ("\u2191 \u2193", "another item"),
    ("Home End", "the ends of the slider"),
)
_GRID = (
    ("\u2190 \u2191 \u2192 \u2193", "another cell"),
    (", .", "lower or higher \u03bb"),
    ("Home End", "the ends of the slider"),
)
PAGES: dict[str, Page] = {
    "lambda": Page(
        "Listen over \u03bb",
        "What is left of an emotion over \u03bb",
        "One sentence with the emotion of a reference, coded with fewer and fewer bits. Move the slider while it "
        "plays: the position is kept, everything but the code stays the same.",
        "\u03bb, the price of a bit",
        "Codec",
        _ROWS,
    ),
    "codebooks": Page(
        "Across codebooks",
        "Every emotion through every codebook",
        "Codebooks were trained on one emotion each. On the diagonal the codebook is that of the reference's emotion; "
        "elsewhere another emotion's codebook may draw the sound to itself.",
        "\u03bb, the price of a bit",
        "Codebook",
        _GRID,
    ),
    "mixing": Page(
        "Mixing",
        "Emotions brought together",
        "Neutral first, several references at once, sad and happy in one codebook: choose how they are mixed, and move "
        "the slider over the proportions.",
        "\u03bb, the price of a bit",
        "Mixture",
        (*_ROWS, ("\u2212 +", "proportions"), ("O", "the second reference, and back")),
    ),
}


def listening(kind: Kind, data: Mapping[str, Any], runs: Sequence[ListeningRun]) -> dict[str, Any]:
    """Return the texts and settings of the template of a listening page.

    Args:
        kind: Which page.
        data: Its data.
        runs: Its runs.
    """
    page = PAGES[kind]
    used = {clip.condition for run in runs for clip in run.clips}
    return {
        "heading": page.heading,
        "lead": page.lead,
        "slider": page.slider,
        "codec_label": page.codec,
        "conditions": [name for name in CONDITIONS if name in used],
        "condition_text": CONDITIONS,
        "keys": (*page.keys, *KEYS),
        "about": _about(data, runs),
    }


def _about(data: Mapping[str, Any], runs: Sequence[ListeningRun]) -> list[str]:
    count = sum(len(run.clips) for run in runs)
    corpora = ", ".join(data["corpora"]) or "an unnamed corpus"
    lines = [
        f"{count} clips of {len(data['items'])} items; references from {corpora}.",
        "Condition A: the emotion vector alone carries emotion (speaker centroid, no local style); only A supports a "
        "claim about the quantizer. Condition B: the reference's local style and speaker vector are heard, too.",
        "Along a slider text, speaker, style and the seed of the noise are the same. Sounds are brought to one "
        "loudness (ITU-R BS.1770); switch to their own loudness in the player.",
        "Similarities are cosines of time means of the encoder's frames; emotion centroids: training speech.",
    ]
    if any("rendered" in name.lower() or "synthetic" in name.lower() for name in data["corpora"]):
        lines.insert(1, "The references are synthetic speech: they show that the method works, not how people feel.")
    return lines


def card(kind: str, data: Mapping[str, Any] | None, runs: int) -> dict[str, str]:
    """Return a card of the overview.

    Args:
        kind: Name of the page.
        data: Its data; None for the report.
        runs: Runs of the study.
    """
    if data is None:
        text = f"Figures and tables of {runs} evaluation{'s' * (runs != 1)}, with their numbers."
        return {"page": kind, "title": "Report", "text": text}
    emotions, speakers = len(data["emotions"]), len({item["speaker"] for item in data["items"]})
    size = f"{len(data['clips'])} sounds: {emotions} emotions, {speakers} speaker{'s' * (speakers != 1)}"
    points = max((len(codec["points"]) for codec in data["codecs"]), default=0)
    codecs = len(data["codecs"])
    size += f", {codecs} codec{'s' * (codecs != 1)} at up to {points} points."
    return {"page": kind, "title": PAGES[kind].heading, "text": size}


def leaderboard_card(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the card of the leaderboard."""
    codecs, corpora = len({entry.codec for entry in entries}), len({entry.corpus for entry in entries})
    text = f"{len(entries)} operating points of {codecs} codec{'s' * (codecs != 1)} on {corpora} corp"
    return {"page": "leaderboard", "title": LEADERBOARD["heading"], "text": f"{text}{'ora' if corpora != 1 else 'us'}."}


def sound_facts(sounds: Mapping[str, Sound], bank: Soundbank) -> dict[str, str]:
    """Return number, compression and loudness of the sounds, for the page of provenance."""
    forms = {"opus": "Ogg Opus, 32 kbit/s", "mp3": "MP3", "flac": "FLAC, without loss"}
    return {
        "unique sounds": str(len(sounds)),
        "compression": forms[bank.form],
        "loudness": f"{bank.target:.1f} LUFS (ITU-R BS.1770), peaks at -1 dB at most; sounds whose peaks would need "
        f"less than {LOWEST:.0f} LUFS stay below: {bank.short}",
        "F0": "WORLD (DIO, StoneMask)" if any(sound.f0 is not None for sound in sounds.values()) else "not measured",
        "spectrogram": "64 mel bands up to 8 kHz, 32 ms window, 10 ms step, 65 dB",
    }
