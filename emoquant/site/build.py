"""The study's website: one static folder that opens from disk or from any host, and asks for nothing outside itself."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.reports.leaderboard import COLUMNS, cells, read_leaderboard, write_leaderboard
from emoquant.reports.pages import Section
from emoquant.site.material import Kind, ListeningRun, attractions, page_data, read_run, with_sounds
from emoquant.site.provenance import run_config, versions, weights_of
from emoquant.site.render import WORDS, Template, report_beside
from emoquant.site.sounds import LOWEST, Format, Sound, Soundbank
from emoquant.storage.files import write_whole
from emoquant.storage.folders import whole_folder

MARK = "provenance.json"
ASSETS = Path(__file__).parent / "assets"


class Sources(NamedTuple):
    """Runs and sections that a site is made of.

    Attributes:
        sweep: Folders of listening runs over lambda.
        codebooks: Folders of listening runs across codebooks; later ones complete the items of the first.
        mixing: Folders of listening runs of mixtures.
        study: Sections of the report.
        leaderboard: File of ``emoquant leaderboard``; None without one.
    """

    sweep: Sequence[Path] = ()
    codebooks: Sequence[Path] = ()
    mixing: Sequence[Path] = ()
    study: Sequence[Section] = ()
    leaderboard: Path | None = None


def build_site(out: Path, sources: Sources, title: str, form: Format = "opus") -> Path:
    """Build a site, whole or not at all, and return its index.

    Args:
        out: Folder to write; an older site there is replaced, anything else is not.
        sources: What it is made of.
        title: Name of the site.
        form: Compression of the sounds.

    Raises:
        FileNotFoundError: A run has no manifest or a clip has no file.
        ValueError: There is nothing to show, a run is damaged or without codecs, or the folder holds something else.
    """
    if not any(sources):
        raise ValueError("a site needs a listening run or a study: name at least one folder of a run")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).is_file())):
        raise ValueError(f"{out} is there and is no site: give another folder, or remove it")
    out = out.resolve()  # "." has no name to make another of
    with whole_folder(out) as partial:
        _write(partial, sources, title, form)
    return out / "index.html"


def _write(folder: Path, sources: Sources, title: str, form: Format) -> None:
    kinds: dict[Kind, Sequence[Path]] = {
        "lambda": sources.sweep,
        "codebooks": sources.codebooks,
        "mixing": sources.mixing,
    }
    runs = {kind: [read_run(path) for path in folders] for kind, folders in kinds.items() if folders}
    bank = Soundbank(form)
    data = {kind: page_data(kind, found, bank) for kind, found in runs.items()}
    if "codebooks" in data:
        rows = [row for section in sources.study for row in section.rows]
        page = data["codebooks"]
        page["attractions"] = attractions(rows, [codec["name"] for codec in page["codecs"]], page["corpora"])
    sounds = bank.write(folder)
    entries = read_leaderboard(sources.leaderboard) if sources.leaderboard is not None else []
    pages: dict[str, str] = {kind: WORDS["pages"][kind]["short"] for kind in data}
    pages |= {"report": "Report"} if sources.study else {}
    pages |= {"leaderboard": "Leaderboard"} if entries else {}
    template = Template(folder, title, {"index": "Overview", **pages, "provenance": "Provenance"})
    (folder / "data").mkdir()
    for kind, found in data.items():
        _write_listening(folder, template, kind, with_sounds(found, sounds, bank.ending), runs[kind])
    if sources.study:
        template.write("report", **report_beside(folder, sources.study))
    if entries:
        write_leaderboard(folder / "data" / "leaderboard.json", entries)
        template.write("leaderboard", columns=COLUMNS, rows=[cells(entry) for entry in entries])
    facts = _facts(sources, runs, sounds, bank)
    template.write("index", listening=data, studies=len(sources.study), entries=entries)
    template.write("provenance", **facts)
    write_whole(folder / MARK, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
    shutil.copytree(ASSETS, folder / "assets")


def _write_listening(
    folder: Path, template: Template, kind: Kind, heard: Mapping[str, Any], runs: Sequence[ListeningRun]
) -> None:
    """Write a listening page, its data and what can be downloaded."""
    text = json.dumps(heard, ensure_ascii=False, allow_nan=False)
    write_whole(folder / "data" / f"{kind}.js", f"window.emoquantPage = {text};\n".encode())
    clips = [clip for run in runs for clip in run.clips]
    used = {clip.condition for clip in clips}
    template.write(kind, "listen", data=heard, clips=len(clips), used=used, downloads=_copied(folder, kind, runs))


def _copied(folder: Path, kind: str, runs: Sequence[ListeningRun]) -> list[tuple[str, str]]:
    """Copy the tables behind a page into the site, and return their links."""
    links = []
    for number, run in enumerate(runs):
        part = f"{kind}-{number + 1}" if number else kind
        for name, text in (("manifest", "every clip"), ("results", "the figures")):
            if (run.folder / f"{name}.csv").is_file():
                shutil.copyfile(run.folder / f"{name}.csv", folder / "data" / f"{part}-{name}.csv")
                links.append((f"data/{part}-{name}.csv", f"{text} as CSV"))
    return links


def _facts(
    sources: Sources, runs: Mapping[Kind, Sequence[ListeningRun]], sounds: Mapping[str, Sound], bank: Soundbank
) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {
            "name": run.folder.name,
            "part": WORDS["pages"][kind]["short"],
            "corpora": run.corpora,
            "size": f"{len(run.clips)} clips",
            "settings": sorted({clip.settings for clip in run.clips if clip.settings}),
            "config": run_config(run.folder),
        }
        for kind, found in runs.items()
        for run in found
    ]
    listed += [
        {
            "name": section.title,
            "part": "Report",
            "corpora": list(dict.fromkeys(row.corpus for row in section.rows)),
            "size": f"{len(section.rows)} figures",
            "settings": [],
            "config": section.config,
        }
        for section in sources.study
    ]
    return {
        "runs": listed,
        "weights": [each._asdict() for each in weights_of([run["config"] for run in listed])],
        "sounds": _sound_facts(sounds, bank),
        "versions": versions(),
    }


def _sound_facts(sounds: Mapping[str, Sound], bank: Soundbank) -> dict[str, str]:
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
