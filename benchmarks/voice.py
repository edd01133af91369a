"""What a voice does on a corpus: errors, melody of the emotions, codebooks, effect of the reference, speed.

    python benchmarks/voice.py checkpoints/tts-toy
    python benchmarks/voice.py checkpoints/tts-nemo --data configs/data/nemo_speech.yaml --frames 12000

Mels are those of the decoder. With true durations and melody: mel L1 (log10), F0 error (Hz, voiced frames), perplexity
of the style codebooks over the split, as a share of the codewords. With predicted ones: mean F0 of each emotion beside
the corpus's. The effect of the reference mel is what changes when every item is given the style reference of another
emotion of its speaker in its batch, everything else being equal (items without one stay as they are: let batches be
large); that of the emotion vector likewise. Speed counts the model with its default vocoder, by CPU time of one process
(one thread: set OMP_NUM_THREADS=1).
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonargparse
import torch
import yaml
from torch import Tensor

from emoquant.types import StyleReference, TTSBatch
from emoquant.voice.data import TTSDataModule
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.bottleneck import code_perplexity
from emoquant.voice.tts.losses import f0_error, mel_l1
from emoquant.voice.tts.masking import length_mask, masked_mean
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Synthesis
from emoquant.voice.tts.style import LEVELS
from emoquant.voice.tts.vocoders import SourceFilter
from emoquant.voice.tts.voice import Voice, load_voice


def say(model: GenerSpeech, batch: TTSBatch, vectors: Tensor, style: StyleReference | None, given: bool) -> Synthesis:
    """Return the batch as the decoder says it, with its own or with predicted durations."""
    durations = batch.durations if given else None
    prompt = (batch.phones, batch.phone_lengths, vectors, batch.speaker_vectors, style)
    return model.infer(*prompt, durations=durations, postnet=False)


def other_emotion(batch: TTSBatch) -> Tensor:
    """Return for each item another of its speaker with another emotion, itself where the batch has none, ``(B,)``."""
    rows = []
    for row in range(len(batch.phones)):
        others = ((batch.speakers == batch.speakers[row]) & (batch.emotions != batch.emotions[row])).nonzero().flatten()
        rows.append(int(others[row % len(others)]) if len(others) else row)
    return torch.tensor(rows)


def mean_f0(said: Synthesis) -> Tensor:
    """Return the mean F0 of each item's voiced frames, ``(B,)`` Hz; NaN where nothing is voiced."""
    return (said.f0 * said.voiced).sum(1) / said.voiced.sum(1)


class Totals:
    """Weighted means by name."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, float]] = {}

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        """Add a value."""
        total, count = self.sums.get(name, (0.0, 0.0))
        self.sums[name] = (total + value * weight, count + weight)

    def mean(self, name: str) -> float:
        """Return a mean."""
        total, count = self.sums[name]
        return total / max(count, 1e-9)


def measure_batch(
    voice: Voice, batch: TTSBatch, totals: Totals, codes: dict[str, list[Tensor]], names: Sequence[str]
) -> None:
    """Add what a batch shows."""
    model = voice.model
    vectors = masked_mean(batch.emotion_frames, batch.emotion_lengths)
    forced = model(batch, vectors)
    frames, voiced = float(batch.mel_lengths.sum()), float(batch.voiced.sum())
    made, true = (voice.facts.mel.decades(mels) for mels in (forced.mels, batch.mels))
    totals.add("mel_l1", float(mel_l1(made, true, batch.mel_lengths)), frames)
    hertz = model.hertz(forced.melody.f0, batch.speaker_vectors)
    totals.add("f0_error_hz", float(f0_error(hertz, batch.f0, batch.voiced)), voiced)
    for level in LEVELS:
        codes[level].append(forced.styles[level].coded.codes.flatten())
    free = say(model, batch, vectors, batch.style, given=False)
    bare = say(model, batch, vectors, None, given=False)
    truth = (batch.f0 * batch.voiced).sum(1) / batch.voiced.sum(1)
    for row, emotion in enumerate(batch.emotions.tolist()):
        totals.add(f"f0_true/{names[emotion]}", float(truth[row]))
        totals.add(f"f0_predicted/{names[emotion]}", float(mean_f0(free)[row].nan_to_num()))
        totals.add(f"f0_without_style/{names[emotion]}", float(mean_f0(bare)[row].nan_to_num()))
        totals.add("duration_ratio", float(free.mel_lengths[row] / batch.mel_lengths[row]))
    plain = say(model, batch, vectors, batch.style, given=True)
    swap = other_emotion(batch)
    mask = length_mask(batch.mel_lengths, batch.mels.shape[1])
    changed = {
        "style": say(model, batch, vectors, StyleReference(*(value[swap] for value in batch.style)), given=True),
        "emotion": say(model, batch, vectors[swap], batch.style, given=True),
    }
    for name, said in changed.items():
        one, other = (voice.facts.mel.decades(each.mels) for each in (said, plain))
        totals.add(f"{name}_changes_mel", float(mel_l1(one, other, batch.mel_lengths)), frames)
        totals.add(f"{name}_changes_f0_hz", float(((said.f0 - plain.f0).abs() * mask).sum() / mask.sum()), frames)


def speed(voice: Voice, batch: TTSBatch, postnet: bool, repeats: int = 3) -> float:
    """Return the seconds of speech made in a second of CPU time, model and default vocoder, best of some tries.

    Durations are the true ones, so that voices of random weights can be timed, too.
    """
    vectors = masked_mean(batch.emotion_frames, batch.emotion_lengths)
    vocoder, best = SourceFilter(voice.facts.mel), 0.0
    for _ in range(repeats):
        begin = time.process_time()
        said = voice.model.infer(
            batch.phones,
            batch.phone_lengths,
            vectors,
            batch.speaker_vectors,
            batch.style,
            durations=batch.durations,
            postnet=postnet,
            seeds=batch.utterances,
        )
        vocoder(said.mels, said.mel_lengths, said.f0, said.voiced)
        spent = time.process_time() - begin
        best = max(best, float(said.mel_lengths.sum()) / voice.facts.mel.frame_rate / spent)
    return best


def preset_speeds(voice: Voice, batch: TTSBatch, presets: Sequence[str]) -> dict[str, float]:
    """Return the speed of presets of ``configs/model/tts`` with random weights, their post-net included."""
    found = {}
    for preset in presets:
        sizes = yaml.safe_load(Path(preset).read_text(encoding="utf-8")) or {}
        facts = replace(voice.facts, architecture=Architecture(**sizes))
        model = facts.build().requires_grad_(False).eval()
        found[Path(preset).stem] = round(speed(Voice(model, facts, voice.speaker_centroids), batch, True), 1)
    return found


def read_data(path: str | None, encoder: str, cache: str, frames: int) -> TTSDataModule:
    """Return the data module of a YAML, or that of the rendered corpus."""
    parser = jsonargparse.ArgumentParser()
    parser.add_subclass_arguments(TTSDataModule, "data")
    if path is None:
        given = ["--data=TTSDataModule", "--data.corpora=emoquant.data.RenderedCorpus"]
        given += [f"--data.corpora.cache_dir={cache}", "--data.encoder=emoquant.encoders.Emotion2Vec"]
        given += [f"--data.encoder.model={encoder}"]
    else:
        given = [f"--data={path}"]
    given += [f"--data.cache_dir={cache}", f"--data.frames_per_batch={frames}"]
    data: TTSDataModule = parser.instantiate_classes(parser.parse_args(given)).data
    return data


@torch.no_grad()
def main() -> None:
    """Measure a voice and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", help="folder of a voice, of a training run, or a checkpoint")
    parser.add_argument("--data", help="YAML of a TTSDataModule; the rendered corpus by default")
    parser.add_argument("--encoder", default="checkpoints/emotion2vec-tiny", help="emotion encoder without --data")
    parser.add_argument("--cache", default=".cache/emoquant", help="cache folder")
    parser.add_argument("--split", default="validation", choices=["validation", "test"])
    parser.add_argument("--frames", type=int, default=4000, help="bound of a batch in mel frames")
    parser.add_argument("--presets", nargs="*", default=[], help="YAMLs of architectures that are timed as well")
    options = parser.parse_args()
    voice = load_voice(options.voice)
    data = read_data(options.data, options.encoder, options.cache, options.frames)
    data.prepare_data()
    data.setup("fit" if options.split == "validation" else "test")
    loader = data.val_dataloader() if options.split == "validation" else data.test_dataloader()
    totals = Totals()
    codes: dict[str, list[Tensor]] = {level: [] for level in LEVELS}
    count, last = 0, None
    numbers = torch.tensor([0, *[voice.facts.phones.index(symbol) + 1 for symbol in data.phones]])
    for batch in loader:
        batch = batch._replace(phones=numbers[batch.phones])  # the voice may know more phones than the data have
        measure_batch(voice, batch, totals, codes, data.emotions)
        count, last = count + len(batch.phones), batch
    figures: dict[str, Any] = {name: round(totals.mean(name), 4) for name in totals.sums}
    for level in LEVELS:
        size = voice.facts.architecture.codewords
        figures[f"perplexity_share/{level}"] = round(float(code_perplexity(torch.cat(codes[level]), size)) / size, 3)
    orders = [sorted(data.emotions, key=lambda name: figures[f"f0_{kind}/{name}"]) for kind in ("true", "predicted")]
    figures["same_order_of_f0"] = orders[0] == orders[1]
    if last is not None:
        times = {"decoder": round(speed(voice, last, False), 1), "post-net": round(speed(voice, last, True), 1)}
        figures["speech_per_cpu_second"] = times | preset_speeds(voice, last, options.presets)
    print(json.dumps({"voice": options.voice, "split": options.split, "utterances": count, **figures}, indent=1))


if __name__ == "__main__":
    main()
