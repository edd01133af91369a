"""Rows of ``manifest.csv``: what was rendered for listening, one clip a line."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.storage.csv_files import read_csv, write_csv


class Clip(NamedTuple):
    """One audio file and what is known of it. Unknown numbers are NaN, empty cells in the file.

    Attributes:
        file: Audio file, relative to the manifest's folder.
        kind: ``"synthesis"``, or a calibration: ``"ground_truth"`` (the reference itself), ``"copy_synthesis"`` (its
            mel through the vocoder), ``"random_vector"`` (synthesis with a vector drawn at random).
        condition: ``"A"``, the emotion vector alone carries emotion, ``"B"``, local style of the reference too (the
            study's setting); empty for what is not synthesised.
        codec: Codec that quantized the reference's frames; ``"none"`` without.
        lmbda: Its operating point; NaN without.
        reference: Id of the reference utterance.
        reference_text: What the reference says.
        text: What the clip says.
        emotion: Emotion of the reference.
        speaker: Speaker of the reference.
        seed: Seed of the noise; the same for all clips of an item and text.
        seconds: Length.
        bits_per_frame: Estimated bits a frame of the quantized reference.
        skip_rate: Share of SKIP among its codes, in [0, 1].
        vector_similarity: Cosine of the emotion vectors after and before quantization.
        f0_mean: Mean F0 of the clip's voiced frames, Hz, measured on the audio.
        f0_deviation: Its standard deviation, in semitones.
        predicted: Emotion that the classifier hears in the clip; empty without classifier.
        similarity_reference: Cosine of the encoder's time means of clip and reference.
        similarity_own: Cosine of the clip's and the centroid of the reference's emotion.
        similarity_neutral: Cosine of the clip's and the centroid of neutral.
        word_error_rate: Of a recogniser that hears the clip, against its text, in [0, 1].
        distortion: Mel-cepstral distortion to the recording of the same words, dB; NaN where it says others.
        f0_error: Root mean square difference of its melody to that recording's, in cents.
        voicing_error: Share of frames that are voiced in one of the two only.
        quality: Predicted overall quality (DNSMOS), 1 to 5.
        sha256: Digest of the samples.
        settings: Digest of everything that shapes clips and measures: voice, vocoder, codecs, texts, data, options.
        style: Local style that was heard under condition B: ``"same"`` (the reference's), ``"neutral"``, ``"none"`` or
            a file; empty under A and for what is not synthesised.
        partner: Id of a second reference whose frames were mixed in; empty without.
        partner_emotion: Emotion of that one.
        similarity_partner: Cosine of the clip's and the centroid of the partner's emotion.
        speaker_similarity: Cosine of the speaker vectors of the clip and of other recordings of the speaker.
        duration_ratio: Length relative to the recording of the same words; NaN where the clip says others.
        duration_error: Mean absolute difference of its phones' durations to that recording's, in ms.
        character_error_rate: Letters of that recogniser's text that are wrong, over those of the clip's, in [0, 1].
        heard: The recogniser's text; empty without recogniser.
        presence: 1 where exactly the emotions of the two references are heard, else 0; NaN for what is no blend.
        salience: 1 where they are heard in their proportion, too.
        speakers_heard: Cosines of its speaker vector and each speaker's, as JSON by speaker; empty without an encoder.
        predicted_second: Emotion that a second classifier, on another encoder, hears; empty without one.
    """

    file: str
    kind: str
    condition: str
    codec: str
    lmbda: float
    reference: str
    reference_text: str
    text: str
    emotion: str
    speaker: str
    seed: int
    seconds: float
    bits_per_frame: float = math.nan
    skip_rate: float = math.nan
    vector_similarity: float = math.nan
    f0_mean: float = math.nan
    f0_deviation: float = math.nan
    predicted: str = ""
    similarity_reference: float = math.nan
    similarity_own: float = math.nan
    similarity_neutral: float = math.nan
    word_error_rate: float = math.nan
    distortion: float = math.nan
    f0_error: float = math.nan
    voicing_error: float = math.nan
    quality: float = math.nan
    sha256: str = ""
    settings: str = ""
    style: str = ""
    partner: str = ""
    partner_emotion: str = ""
    similarity_partner: float = math.nan
    speaker_similarity: float = math.nan
    duration_ratio: float = math.nan
    duration_error: float = math.nan
    character_error_rate: float = math.nan
    heard: str = ""
    predicted_second: str = ""
    speakers_heard: str = ""
    presence: float = math.nan
    salience: float = math.nan


def write_clips(path: Path, clips: Iterable[Clip]) -> None:
    """Write a manifest, whole or not at all.

    Args:
        path: The CSV file; its folder must be there.
        clips: The clips in the order of the file.
    """
    write_csv(path, Clip._fields, clips)


def read_clips(path: Path) -> list[Clip]:
    """Read a manifest.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing or a cell is not of its type; the message names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}: expected the manifest.csv that a listening run writes")
    clips = []
    for line, record in read_csv(path, Clip._fields, "manifest of clips"):
        try:
            clips.append(parse_clip(record))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
    return clips


def parse_clip(record: Mapping[str, Any]) -> Clip:
    """Return the clip of a record of strings or numbers, such as a line of JSON; what it lacks is unknown.

    Raises:
        ValueError: A value is not of its type, or one that every clip has is missing.
    """
    kinds: dict[str, type] = Clip.__annotations__
    known = {name: record[name] for name in Clip._fields if name in record}
    if lacking := [name for name in Clip._fields if name not in known and name not in Clip._field_defaults]:
        raise ValueError(f"no clip without {', '.join(lacking)}: it has {', '.join(known) or 'nothing'}")
    return Clip(**{name: _parse(value, kinds[name]) for name, value in known.items()})


def _parse(cell: Any, kind: type) -> Any:  # noqa: ANN401 (a cell of any kind)
    if kind is float:
        return math.nan if cell in ("", None) else float(cell)
    return kind(cell)
