"""Recognisers of speech, which say what words are heard in a clip."""

import hashlib
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import Tensor

SAMPLE_RATE = 16_000

#: Voices of espeak-ng whose name is not the code of their language.
_LANGUAGES = {"cmn": "zh", "yue": "zh", "nb": "no"}

#: Symbols that a recogniser writes instead of the words that are spoken.
_NUMERAL = re.compile(r"[\d%$£€]")


class Recognizer(ABC):
    """Writes down speech."""

    @abstractmethod
    def __call__(self, waveform: Tensor, language: str | None = None) -> str:
        """Return the text that is heard in a clip; empty where nothing is understood.

        Args:
            waveform: Samples at 16 kHz, ``(N,)``.
            language: Code of the language (``"pl"``); None where it is unknown.

        Raises:
            ValueError: The recogniser does not know the language.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a string that changes with the recogniser's weights and settings."""


class WhisperRecognizer(Recognizer):
    """Whisper by the package faster-whisper, on CPU: some hundred languages, one second of CPU time a clip (base).

    Decoding is greedy and without fallback, so the same clip gives the same text. Numbers are written as words.

    Args:
        model: Folder of a model in CTranslate2's format, or the name of one on Hugging Face
            (``"Systran/faster-whisper-base"``), which is downloaded on its first use.
        language: Code of the language, ``"pl"``; by default that of the voice's text front end.
        compute_type: Number format of the weights in memory, as CTranslate2 names it.
        threads: Threads of the processor.

    Raises:
        ImportError: faster-whisper is not installed.
        FileNotFoundError: The model is no folder and cannot be downloaded.
        ValueError: The model does not know the language, or the folder holds no model.

    Reference:
        A. Radford et al.: Robust speech recognition via large-scale weak supervision. ICML 2023.
    """

    def __init__(
        self,
        model: str = "Systran/faster-whisper-base",
        language: str | None = None,
        compute_type: str = "int8",
        threads: int = 1,
    ) -> None:
        self._whisper = _load_whisper(model, compute_type, threads)
        self.model, self.language = model, language
        known = self._whisper.supported_languages
        if language is not None and language not in known:
            raise ValueError(f"language {language!r} is unknown to {model}: expected one of {', '.join(known)}")
        vocabulary = self._whisper.hf_tokenizer.get_vocab()
        self._suppressed = sorted(index for token, index in vocabulary.items() if _is_numeral(token))
        self._settings = f"{language}:{compute_type}"

    def __call__(self, waveform: Tensor, language: str | None = None) -> str:
        """Return the text that is heard in a clip; see the base class."""
        language = self.language or language
        known = self._whisper.supported_languages
        if language is not None and language not in known:
            raise ValueError(f"language {language!r} is unknown to {self.model}: expected one of {', '.join(known)}")
        segments, _ = self._whisper.transcribe(
            waveform.float().cpu().numpy(),
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            no_speech_threshold=None,
            suppress_tokens=[-1, *self._suppressed],
        )
        return " ".join(segment.text.strip() for segment in segments).strip()

    def fingerprint(self) -> str:
        """Return a digest of the weights' file, where the model is a folder, and the settings."""
        weights = Path(self.model) / "model.bin"
        digest = self.model
        if weights.is_file():
            with weights.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"whisper:{digest}:{self._settings}"


def language_of(front_end: str) -> str | None:
    """Return the code of the language of a text front end; None where its name does not say it.

    Example:
        >>> language_of("espeak:en-us"), language_of("words:espeak:pl"), language_of("dictionary:mine.txt")
        ('en', 'pl', None)
    """
    kind, _, voice = front_end.removeprefix("words:").partition(":")
    if kind == "cmu":
        return "en"
    code = voice.split("-")[0].split("+")[0]
    return _LANGUAGES.get(code, code) if kind == "espeak" else None


def _is_numeral(token: str) -> bool:
    """Return whether a token of the vocabulary holds a figure or a sign for a word, and is no command."""
    return not token.startswith("<|") and _NUMERAL.search(token) is not None


def _load_whisper(model: str, compute_type: str, threads: int) -> Any:  # noqa: ANN401 (a class without types)
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise ImportError(
            f"recognition by Whisper needs faster-whisper ({error}); install it: pip install -e '.[asr]'"
        ) from error
    folder = Path(model).expanduser()
    lacking = [name for name in ("model.bin", "config.json", "tokenizer.json") if not (folder / name).is_file()]
    if folder.is_dir() and lacking:
        raise ValueError(
            f"{folder} holds no Whisper model: {', '.join(lacking)} lacking; expected a folder in CTranslate2's format"
        )
    try:
        return WhisperModel(str(folder) if folder.is_dir() else model, "cpu", compute_type=compute_type,
                            cpu_threads=threads)  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise FileNotFoundError(
            f"no Whisper model {model!r}: it is no folder and cannot be fetched from Hugging Face ({error}); on a "
            f"machine with a network run `huggingface-cli download {model} --local-dir DIR` and give DIR as the model"
        ) from error
