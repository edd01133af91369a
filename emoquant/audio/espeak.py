"""Renders a plan of sentences with espeak-ng. Run as a program, in a process of its own.

The breath noise of some voices is drawn from a generator that espeak-ng seeds with the time; it is seeded here before
every sentence. Other state is carried from call to call and no function resets it, so that the same sentence differs
slightly when it is rendered twice. In a fresh process the same calls in the same order give the same samples: hence one
process for a whole corpus and a fixed order.

    python -P espeak.py PLAN FOLDER

PLAN is a JSON list of objects with ``id``, ``voice``, ``text``, ``rate``, ``pitch``, ``range`` and ``volume``; FOLDER
gets ``wav/ID.wav`` (16 kHz, 16 bit, mono) and ``phonemes.jsonl``. The id of every finished utterance goes to stdout.
"""

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000

#: Label of a pause among the phonemes.
PAUSE = "_"

# Names and numbers of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _PHONEME_EVENTS_IPA_DONT_EXIT = 2, 0x8003
_LIST_TERMINATED, _WORD, _PHONEME = 0, 1, 7
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}
_UTF8, _POSITION_IN_CHARACTERS = 1, 1

#: What espeak-ng writes among the phonemes where it speaks a word by the rules of another language: ``(en)``, ``(pl)``.
_LANGUAGE_FLAG = re.compile(r"\([^)]*\)?|^[^(]*\)")
#: Form of phonemes: IPA.
_IPA = 2

_BETWEEN_WORDS = ' \t\n.,;:!?"()'


class EspeakError(RuntimeError):
    """espeak-ng is not installed or refused a call."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_ubyte * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # a byte of priority, a name and a zero for each; a zero at the end
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Speech(NamedTuple):
    """One rendered utterance.

    Attributes:
        samples: ``(N,)`` int16 at ``rate``.
        rate: Samples a second.
        phonemes: IPA symbol (:data:`PAUSE` for silence), start and end in seconds; they follow each other without gap.
        words: Word as written, start and end in seconds; words that are spoken as one are one entry (``"on the"``).
    """

    samples: np.ndarray
    rate: int
    phonemes: list[tuple[str, float, float]]
    words: list[tuple[str, float, float]]


class Espeak:
    """espeak-ng through ctypes, synchronous, with phoneme and word events.

    Raises:
        EspeakError: The library is not installed or does not start.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path()
        except (ImportError, OSError, RuntimeError) as error:
            raise EspeakError(
                f"espeak-ng cannot be loaded ({error}); install it with: pip install espeakng-loader"
            ) from error
        self._library.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _PHONEME_EVENTS_IPA_DONT_EXIT))
        if self.rate <= 0:
            raise EspeakError(f"espeak-ng does not start with its data folder {data}; install espeakng-loader again")
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._chunks: list[np.ndarray] = []
        self._events: list[tuple[int, int, int, str]] = []
        self._callback = _CALLBACK(self._collect)  # kept: the library holds only a pointer

    def _collect(self, wave: Any, count: int, events: Any) -> int:  # noqa: ANN401 (ctypes pointers)
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while (event := events[index]).type != _LIST_TERMINATED:
            label = bytes(event.id.string).split(b"\0")[0].decode(errors="ignore") if event.type == _PHONEME else ""
            self._events.append((event.type, event.sample, event.text_position, label))
            index += 1
        return 0

    def speak(self, text: str, voice: str, rate: int, pitch: int, range: int, volume: int) -> Speech:
        """Return a rendered sentence.

        Args:
            text: What is said.
            voice: Voice of espeak-ng or a language that it speaks, with its variant (``"en-us+f3"``).
            rate: Words a minute, 80 to 450.
            pitch: Base pitch, 0 to 99.
            range: Pitch range, 0 to 99.
            volume: Amplitude, 0 to 200.

        Raises:
            EspeakError: The voice is unknown or nothing was rendered.
        """
        self.choose(voice)
        for name, value in {"rate": rate, "pitch": pitch, "range": range, "volume": volume}.items():
            self._library.espeak_SetParameter(_PARAMETERS[name], int(value), 0)
        self._chunks, self._events = [], []
        self._library.espeak_SetSynthCallback(self._callback)  # of this instance: another one may be gone by now
        self._library.espeak_ng_SetRandSeed(0)
        data = text.encode()
        code = self._library.espeak_Synth(data, len(data) + 1, 0, _POSITION_IN_CHARACTERS, 0, _UTF8, None, None)
        if code != 0 or not self._chunks:
            raise EspeakError(f"espeak-ng rendered nothing for {text!r} (code {code})")
        samples = np.concatenate(self._chunks)
        return Speech(samples, self.rate, self._phonemes(len(samples)), self._words(text, len(samples)))

    def choose(self, voice: str) -> None:
        """Select a voice by its name, or by a language that it speaks (``"fr-fr"``, ``"en-gb"``, ``"zh"``).

        Raises:
            EspeakError: There is none; the message names some that there are.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) == 0:
            return
        language, plus, variant = voice.partition("+")
        voices = self.voices()
        found = [name for name, languages in voices.items() if languages[:1] == [language.lower()]]
        found += [name for name, languages in voices.items() if language.lower() in languages]
        if not found or self._library.espeak_SetVoiceByName(f"{found[0]}{plus}{variant}".encode()) != 0:
            known = sorted({name for languages in voices.values() for name in languages})
            near = [name for name in known if name.split("-")[0] == language.lower().split("-")[0]] or known
            raise EspeakError(f"espeak-ng has no voice or language {voice!r}; there are: {', '.join(near)}")

    def voices(self) -> dict[str, list[str]]:
        """Return the languages of each voice, the closest first, by the voice's file."""
        found: dict[str, list[str]] = {}
        listed = self._library.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            voice = listed[index].contents
            at, languages = voice.languages, []
            while ctypes.c_ubyte.from_address(at).value:
                name = ctypes.string_at(at + 1)
                languages.append(name.decode().lower())
                at += len(name) + 2
            found[voice.identifier.decode()] = languages
            index += 1
        return found

    def phonemes(self, text: str) -> str:
        """Return the phonemes of a text in IPA, without sound, by the voice that was chosen or spoke last."""
        data = ctypes.c_char_p(text.encode())
        rest = ctypes.pointer(ctypes.cast(data, ctypes.c_void_p))
        found = []
        while rest[0]:
            part = self._library.espeak_TextToPhonemes(rest, _UTF8, _IPA)
            found.append(_LANGUAGE_FLAG.sub("", (part or b"").decode(errors="ignore")))
        return " ".join(found)

    def _phonemes(self, total: int) -> list[tuple[str, float, float]]:
        labels = [(sample, label, _LANGUAGE_FLAG.sub("", label)) for kind, sample, _, label in self._events
                  if kind == _PHONEME]  # fmt: skip
        starts = [(sample, spoken or PAUSE) for sample, label, spoken in labels if spoken or not label]
        if starts and starts[0][0] > 0:
            starts.insert(0, (0, PAUSE))
        return _intervals(starts, total, self.rate)

    def _words(self, text: str, total: int) -> list[tuple[str, float, float]]:
        pauses = [(sample, PAUSE) for kind, sample, _, label in self._events if kind == _PHONEME and not label]
        begins = [(sample, position - 1) for kind, sample, position, _ in self._events if kind == _WORD]
        ends = [position for _, position in begins[1:]] + [len(text)]
        # What has no event of its own ("on the" is spoken as one) belongs to the word before it.
        words = [
            (sample, text[begin:end].strip(_BETWEEN_WORDS)) for (sample, begin), end in zip(begins, ends, strict=True)
        ]
        marks = sorted(pauses + words, key=lambda item: item[0])
        return [span for span in _intervals(marks, total, self.rate) if span[0] != PAUSE]


def _intervals(starts: list[tuple[int, str]], total: int, rate: int) -> list[tuple[str, float, float]]:
    ends = [sample for sample, _ in starts[1:]] + [total]
    spans = [(label, sample, end) for (sample, label), end in zip(starts, ends, strict=True) if end > sample]
    return [(label, round(sample / rate, 6), round(end / rate, 6)) for label, sample, end in spans]


def render(plan: list[dict[str, Any]], folder: Path) -> None:
    """Render a plan into a folder, in its order (see the top of this file).

    Raises:
        EspeakError: espeak-ng is missing or refuses, or a sample reached full scale.
    """
    engine = Espeak()
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    with (folder / "phonemes.jsonl").open("w", encoding="utf-8") as file:
        for item in plan:
            speech = engine.speak(**{key: value for key, value in item.items() if key != "id"})
            wave = soxr.resample(speech.samples.astype(np.float32) / 32768, speech.rate, SAMPLE_RATE)
            if np.abs(wave).max() > 0.999:
                raise EspeakError(f"{item['id']}: clipped; choose a volume below {item['volume']}")
            soundfile.write(folder / "wav" / f"{item['id']}.wav", wave, SAMPLE_RATE, subtype="PCM_16")
            timings = {"id": item["id"], "phonemes": speech.phonemes, "words": speech.words}
            file.write(json.dumps(timings, ensure_ascii=False) + "\n")
            print(item["id"], flush=True)


if __name__ == "__main__":
    try:
        render(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
    except EspeakError as problem:
        sys.exit(str(problem))
