"""Writes what a listening task renders: audio files, one manifest of everything, and its figures."""

import json
import secrets
from pathlib import Path
from typing import Any

import soundfile
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from emoquant.console.trainer_flags import runs_folder
from emoquant.devices.ranks import together
from emoquant.interfaces.access import spoken_data_of
from emoquant.metrics.described import codec_rows
from emoquant.storage.files import refuse_pointer, whole_file
from emoquant.storage.journals import append_lines, whole_lines
from emoquant.storage.results import write_results
from emoquant.voice.clips import Clip, parse_clip, write_clips
from emoquant.voice.metrics.summary import clip_rows
from emoquant.voice.reports import SpeechTable


class ListeningWriter(Callback):
    """Writes clips, manifest and figures into a folder, and lets a broken run go on.

    The folder has ``clips/*.wav``, ``manifest.csv``, ``results.csv`` and, made of the latter, ``reports/``.

    Every run of every process notes its finished clips in a journal of its own; a clip that is noted, was made with the
    same settings and whose file is there is not rendered again. A run with other settings writes over clips of the same
    names, so it first throws away what was noted before it, and the manifest and figures of that. The manifest is
    written once all are done; it lists the clips that this run asks for, not what else an earlier one left there.

    Args:
        folder: Where to write; the run's folder (``runs/listen/NAME``) by default.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._given, self.folder = folder, Path(folder or "")
        self._run = secrets.token_hex(4)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the task what is there already.

        Raises:
            TypeError: The task renders no clips.
        """
        if not all(hasattr(pl_module, name) for name in ("done", "settings", "planned")):
            raise TypeError(f"{type(pl_module).__name__} renders no clips: use ListeningWriter with a ListeningTask")
        self.folder = Path(self._given or runs_folder(trainer))
        (self.folder / "clips").mkdir(parents=True, exist_ok=True)
        if trainer.is_global_zero:
            self._forget_others(str(pl_module.settings))
        trainer.strategy.barrier("listening: journals of other settings gone")
        done = {clip.file for clip in self._journalled() if (self.folder / clip.file).is_file()}
        setattr(pl_module, "done", done)  # noqa: B010 (a plain attribute, not a module or tensor)
        trainer.strategy.barrier("listening: journals read")

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 (clips with their samples)
        batch: Any,  # noqa: ANN401 - Lightning's hook
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the clips of a batch and note them; their samples are let go, as Lightning keeps what steps return."""
        task: Any = pl_module
        rate = task.voice.facts.mel.sample_rate
        name = f"journal-{trainer.global_rank:05d}-{self._run}.jsonl"
        for clip, waveform in outputs:
            with whole_file(self.folder / clip.file) as partial:
                soundfile.write(partial, waveform.numpy(), rate, subtype="PCM_16", format="WAV")
        with (self.folder / name).open("ab") as journal:
            append_lines(journal, [clip._asdict() for clip, _ in outputs])
        outputs[:] = [rendered._replace(waveform=rendered.waveform[:0].clone()) for rendered in outputs]

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the manifest and the figures, on rank zero, when every process is done."""
        together(lambda: None)  # wait as long as it takes
        if not trainer.is_global_zero:
            return
        task: Any = pl_module
        planned = task.planned()
        latest = {clip.file: clip for clip in self._journalled() if clip.file in planned}
        clips = [latest[file] for file in sorted(latest)]
        write_clips(self.folder / "manifest.csv", clips)
        name = spoken_data_of(trainer).name
        rows = [*clip_rows(clips, name), *codec_rows(task.codecs, name)]
        write_results(self.folder / "results.csv", rows)
        SpeechTable().write(rows, self.folder / "reports")
        rank_zero_info(f"{len(clips)} clips: {self.folder / 'manifest.csv'}")

    def _forget_others(self, settings: str) -> None:
        """Remove the journals of other settings, and what was made of them, before a clip is overwritten."""
        for path in self._journals():
            if any(clip.settings != settings for clip in _clips_of(path)):
                for name in ("manifest.csv", "results.csv"):
                    (self.folder / name).unlink(missing_ok=True)
                path.unlink()

    def _journals(self) -> list[Path]:
        return sorted(self.folder.glob("journal-*.jsonl"))

    def _journalled(self) -> list[Clip]:
        return [clip for path in self._journals() for clip in _clips_of(path)]


def _clips_of(journal: Path) -> list[Clip]:
    refuse_pointer(journal)
    try:
        return [parse_clip(json.loads(line)) for line in whole_lines(journal)]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{journal} is damaged ({error}): delete it, and its clips are rendered again") from error
