"""The command ``say``: a text in somebody's voice with the emotion of somebody else's recording."""

from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from emoquant.audio.containers import AUDIO_SUFFIXES
from emoquant.audio.loading import read_audio
from emoquant.audio.trimming import TRIM, require_threshold, trimmed
from emoquant.codecs.specs import Place, open_codecs
from emoquant.encoders import Emotion2Vec
from emoquant.encoders.base import FrameEncoder
from emoquant.storage.files import whole_file
from emoquant.storage.runs import RUNS
from emoquant.storage.shipped import CHECKPOINTS
from emoquant.voice.data.vectors import named_vectors
from emoquant.voice.tts.recipe import Intensity, Quantize, Step
from emoquant.voice.tts.references import Reference
from emoquant.voice.tts.synthesis import Synthesizer, encoder_name
from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.voice import Voice, load_voice

#: The shipped voice that speaks where none is named.
VOICE = "checkpoints/tts-toy"


def say(
    text: str,
    emotion: Path | None = None,
    speaker: str | None = None,
    out: Path = Path("speech.wav"),
    voice: str = VOICE,
    lmbda: float | None = None,
    codec: dict[str, Any] | str | None = None,
    intensity: float = 1.0,
    neutral: Path | None = None,
    style: Path | None = None,
    encoder: FrameEncoder | None = None,
    speaker_encoder: FrameEncoder | None = None,
    vocoder: Vocoder | None = None,
    folder: Path = Path(RUNS),
    seed: int | None = None,
    trim: float | None = TRIM,
) -> Path:
    """Say a text with the emotion of a recording, in the voice of a speaker, through a codec or not.

    Args:
        text: What is said, in the language of the voice.
        emotion: Recording whose emotion is imitated; anybody's. It has to be named.
        speaker: Who speaks: a speaker that the voice knows, or a recording of somebody else, for voices whose speaker
            vectors come from an encoder (speaker_encoder); the voice's first speaker by default.
        out: The wav file.
        voice: Folder, checkpoint or hub name of a voice; the shipped English one by default.
        lmbda: Lagrange multiplier at which the emotion is quantized; by default it is not.
        codec: The codec, as an evaluation's YAML spells it: a run, a path, or {run: codec}; the folder's codec by
            default. It must be of the voice's encoder.
        intensity: Along the way from neutral (0) to the emotion (1) and beyond it (to 1.5); needs neutral.
        neutral: A neutral recording of the one whose emotion is imitated, where the way of intensity begins.
        style: Recording whose local style (rhythm, melody of words) is imitated, too; none by default.
        encoder: The emotion encoder that the voice was trained with; found among the shipped ones by default.
        speaker_encoder: The speaker encoder that the voice was trained with.
        vocoder: The vocoder; one without weights by default.
        folder: Folder of runs that the codec is named in.
        seed: Seed of the noise; follows the text by default.
        trim: How many dB below its loudest 20 ms the recording of the emotion is cut at both ends; null cuts nothing.

    Returns:
        The wav file.

    Raises:
        FileNotFoundError: There is no such recording, voice or codec.
        AudioError: A recording cannot be used.
        ValueError: The text, the speaker or the codec does not fit the voice, or an argument is out of range.
    """
    require_threshold(trim)
    if emotion is None:
        raise ValueError("name a recording whose emotion is imitated: --emotion FILE")
    if neutral is None and intensity != 1:
        raise ValueError(f"--intensity {intensity} begins at neutral: name a neutral recording, --neutral FILE")
    spoken = load_voice(voice)
    hearing = encoder if encoder is not None else _shipped_encoder(spoken.facts.encoder)
    synthesizer = Synthesizer(spoken, hearing, vocoder)
    reference = Reference(trimmed(read_audio(emotion), 16_000, trim))
    steps: list[Step] = []
    if lmbda is not None:
        spec = {"run": codec} if isinstance(codec, str) else codec or {"run": "codec"}
        opened = open_codecs([spec], spoken.facts.emotions, Place(str(folder)))
        steps.append(Quantize(opened[0], lmbda))
    if neutral is not None:
        start = synthesizer.frames(trimmed(read_audio(neutral), 16_000, trim)).mean(0)
        steps.append(Intensity(intensity, start))
    who = _speaker_of(spoken, speaker, speaker_encoder)
    heard = Reference(style) if style is not None else None
    speech = synthesizer.synthesize(text, reference, steps, heard, who, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as partial:
        rate = spoken.facts.mel.sample_rate
        soundfile.write(partial, speech.waveform.clamp(-1, 1).numpy(), rate, subtype="PCM_16", format="WAV")
    cost = "" if lmbda is None else f", {speech.emotion.bits:.1f} bits a frame"
    print(f"{out}: {len(speech.waveform) / spoken.facts.mel.sample_rate:.1f} s{cost}")
    return out


def _shipped_encoder(name: str) -> FrameEncoder:
    """Return the shipped encoder that a voice remembers.

    Raises:
        ValueError: There is none.
    """
    for folder in sorted(path.parent for path in CHECKPOINTS.glob("*/configuration.json")):
        encoder = Emotion2Vec(str(folder))
        if encoder_name(encoder) == name:
            return encoder
    raise ValueError(
        f"the voice was trained with the encoder {name}, which is not shipped: name it, --encoder FOLDER|NAME|YAML"
    )


def _speaker_of(voice: Voice, speaker: str | None, encoder: FrameEncoder | None) -> str | Tensor:
    """Return a speaker's name, or the speaker vector ``(S,)`` of a recording."""
    if speaker is None:
        return voice.facts.speakers[0]
    if Path(speaker).suffix.lower() not in AUDIO_SUFFIXES:
        return speaker
    known = ", ".join(voice.facts.speakers)
    if encoder is None:
        raise ValueError(
            f"--speaker {speaker} is a recording: name the speaker encoder of the voice (--speaker_encoder), or take "
            f"one of its speakers: {known}"
        )
    fixed = named_vectors(voice.facts.speakers, voice.facts.speaker_dim)
    if torch.allclose(voice.speaker_centroids, fixed, atol=1e-2):
        raise ValueError(f"the voice speaks as those it knows only, not as {speaker}: take one of {known}")
    waveform = read_audio(Path(speaker), sample_rate=encoder.sample_rate)
    with torch.no_grad():
        frames, _ = encoder.eval()(waveform[None], torch.tensor([len(waveform)]))
    return torch.nn.functional.normalize(frames[0].mean(0), dim=0)
