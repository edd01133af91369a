"""A trained voice: the model, its hyperparameters, phone set and speakers; saving and loading."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.storage.artefacts import description_file, fetched, read_artefact, write_artefact
from emoquant.storage.rebuilding import build, fill, require_weights
from emoquant.storage.shipped import say_licence, shipped_path
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.files import find_checkpoint, read_checkpoint
from emoquant.voice.tts.model import GenerSpeech

#: Key of the description in a training checkpoint, its version, and the name of a saved voice's files.
SECTION, VERSION, KIND = "emoquant_voice", 1, "voice"


@dataclass(frozen=True)
class VoiceFacts:
    """Hold the hyperparameters of a voice and what it was trained on.

    Args:
        architecture: Hyperparameters of the model.
        phones: Phone set; phone ``i`` of a batch is ``phones[i - 1]``.
        front_end: Name of the text front end that these phones come from.
        mel: Mel settings.
        emotion_dim: Dimensions of an emotion vector.
        speaker_dim: Dimensions of a speaker vector.
        encoder: Name of the emotion encoder.
        emotions: Emotions of the training.
        speakers: Speakers of the training.
        f0_mean: Mean F0 of the voiced training frames, in Hz; with ``log_f0`` the mean of the speakers' mean ln F0.
        f0_deviation: Standard deviation of F0, in Hz; with ``log_f0`` that of ln F0 around its speaker's mean.
        postnet: Whether synthesis takes mels from the post-net; False if that was not trained long enough.
    """

    architecture: Architecture
    phones: tuple[str, ...]
    front_end: str
    mel: MelSettings
    emotion_dim: int
    speaker_dim: int
    encoder: str
    emotions: tuple[str, ...]
    speakers: tuple[str, ...]
    f0_mean: float
    f0_deviation: float
    postnet: bool = True

    def build(self) -> GenerSpeech:
        """Return an untrained model with these hyperparameters."""
        return GenerSpeech(
            self.architecture,
            len(self.phones),
            self.mel.mels,
            self.emotion_dim,
            self.speaker_dim,
            self.f0_mean,
            self.f0_deviation,
        )

    def require(self, other: "VoiceFacts") -> None:
        """Check that the hyperparameters of a configuration are those of this trained voice.

        Args:
            other: Hyperparameters of the data and the configuration.

        Raises:
            ValueError: One that the weights depend on differs (mel settings, phones, front end, encoder, emotions,
                speakers, dimensions, architecture); the message names it.
        """
        self.mel.require(other.mel, "the data", "the voice")
        if self.phones != other.phones:
            strange = sorted(set(self.phones) ^ set(other.phones))
            raise ValueError(
                f"the voice was trained with other phones than the data have (only in one of them: {strange}); "
                "use the corpus and the text front end that it was trained with, or train a new voice"
            )
        for name in ("front_end", "encoder", "emotions", "speakers", "emotion_dim", "speaker_dim", "architecture"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(
                    f"the voice was trained with {name} {mine!r}, the data or the configuration say {theirs!r}; "
                    "use what it was trained with, or train a new voice"
                )


@dataclass(frozen=True)
class Voice:
    """Hold a trained voice.

    Args:
        model: The model, frozen and in evaluation mode.
        facts: Its hyperparameters.
        speaker_centroids: Mean speaker vector of each speaker, ``(speakers, S)`` float32.
    """

    model: GenerSpeech
    facts: VoiceFacts
    speaker_centroids: Tensor

    def speaker(self, name: str) -> Tensor:
        """Return the mean vector ``(S,)`` of a speaker.

        Raises:
            ValueError: The voice has no such speaker; the message lists its speakers.
        """
        if name not in self.facts.speakers:
            raise ValueError(f"no speaker {name!r} in this voice: it knows {', '.join(self.facts.speakers)}")
        return self.speaker_centroids[self.facts.speakers.index(name)]


def describe_voice(facts: VoiceFacts) -> dict[str, Any]:
    """Return a voice's hyperparameters as plain values for a checkpoint or JSON; :func:`read_facts` reads them."""
    return {"version": VERSION, **asdict(facts)}


def read_facts(section: Any, source: Path | str) -> VoiceFacts:  # noqa: ANN401 - whatever a file holds
    """Return the hyperparameters that :func:`describe_voice` wrote.

    Args:
        section: Description of a voice, as read from a checkpoint or JSON.
        source: File that it comes from, for error messages.

    Raises:
        ValueError: It is no description of a voice, or one of another version.
    """
    version = section.get("version") if isinstance(section, Mapping) else None
    if version != VERSION:
        raise ValueError(f"{source} describes no voice of version {VERSION} (it says {version!r}); update or retrain")
    known = {field.name for field in fields(VoiceFacts)}
    values: dict[str, Any]
    try:
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in section.items()}
        values |= {"architecture": Architecture(**values["architecture"]), "mel": MelSettings.from_dict(values["mel"])}
        facts = VoiceFacts(**{name: values[name] for name in known})
        _check_kinds(facts)
        return facts
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source} describes a voice wrongly: {error}") from error


def _check_kinds(facts: VoiceFacts) -> None:
    for name in ("phones", "emotions", "speakers"):
        found = getattr(facts, name)
        if not isinstance(found, tuple) or not all(isinstance(each, str) for each in found):
            raise ValueError(f"{name} is {str(found)[:80]!r}, expected a list of names")
    for name in ("front_end", "encoder"):
        if not isinstance(getattr(facts, name), str):
            raise ValueError(f"{name} is {getattr(facts, name)!r}, expected a name")
    for name in ("emotion_dim", "speaker_dim"):
        if not isinstance(getattr(facts, name), int) or getattr(facts, name) < 1:
            raise ValueError(f"{name} is {getattr(facts, name)!r}, expected a whole number from 1")
    for name in ("f0_mean", "f0_deviation"):
        found = getattr(facts, name)
        if not isinstance(found, int | float) or not math.isfinite(found):
            raise ValueError(f"{name} is {found!r}, expected a number")


def save_voice(folder: str | Path, voice: Voice, half: bool = True) -> None:
    """Write a voice as ``voice.json`` and ``voice.safetensors``.

    Args:
        folder: Folder to write into; it is created if it does not exist.
        voice: The voice.
        half: Whether matrices are stored in half precision; vectors and statistics always keep single precision.
    """
    state = {f"model.{name}": value for name, value in voice.model.state_dict().items()}
    state["speaker_centroids"] = voice.speaker_centroids
    tensors = {}
    for name, value in state.items():
        shrinks = half and value.is_floating_point() and value.ndim >= 2
        tensors[name] = value.half() if shrinks else value
    write_artefact(folder, KIND, describe_voice(voice.facts), tensors)


def load_voice(path: str | Path, postnet: bool | None = None) -> Voice:
    """Load a trained voice: on CPU, frozen, in single precision.

    Args:
        path: A folder of :func:`save_voice`, a checkpoint of the training, the folder of a training run, or the name of
            a voice on Hugging Face, ``owner/name``.
        postnet: Whether mels come from the post-net; the voice's own setting if None.

    Raises:
        FileNotFoundError: There is no such voice.
        ValueError: The file is damaged or holds no voice.
    """
    path = fetched(shipped_path(path), KIND)
    say_licence(path)
    facts, state = _read_folder(path) if description_file(path, KIND).is_file() else _read_run(path)
    if postnet is not None:
        facts = replace(facts, postnet=postnet)
    require_weights(state, path)
    weights = {name.removeprefix("model."): value.float() if value.is_floating_point() else value
               for name, value in state.items() if name.startswith("model.")}  # fmt: skip
    model = build(facts.build, weights, path)
    fill(model, weights, path)
    if state.get("speaker_centroids", torch.empty(0)).shape != (len(facts.speakers), facts.speaker_dim):
        raise ValueError(f"{path} lacks the mean vectors of its {len(facts.speakers)} speakers; save the voice again")
    return Voice(model.requires_grad_(False).eval(), facts, state["speaker_centroids"].float())


def _read_folder(folder: Path) -> tuple[VoiceFacts, dict[str, Tensor]]:
    section, weights = read_artefact(folder, KIND)
    return read_facts(section, description_file(folder, KIND)), weights


def _read_run(path: Path) -> tuple[VoiceFacts, dict[str, Tensor]]:
    path = find_checkpoint(path, "voice")
    content = read_checkpoint(path, SECTION)
    return read_facts(content[SECTION], path), content["state_dict"]
