"""Mutated input never gives anything but a result or the documented error, and never runs long or writes elsewhere."""

import io
import os
import time
import warnings

import numpy as np
import pytest
import soundfile
import torch
from fake.corpora import write_tone
from mutation import mutated
from safetensors.torch import save

from emoquant.audio.loading import AudioError, audio_seconds, read_audio
from emoquant.codecs import ECVQ, load_codec, save_codec
from emoquant.codecs.bitstream import BitstreamError, parse
from emoquant.codecs.search import layout_of
from emoquant.commands.compress_manifest import CompressedRow, read_rows, write_rows
from emoquant.commands.sources import find_sources, read_features
from emoquant.data.index import Part, Source
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.store import DamagedEntryError, FeatureStore
from emoquant.data.writer import ShardWriter
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.reports.redraw import configured_reports
from emoquant.storage.results import Row, read_results, write_results
from emoquant.storage.tensors import read_tensors
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.clips import Clip, read_clips, write_clips

#: Inputs of each parser in the default run, and in the slow one: 15 parsers, 150,000 inputs.
FEW, MANY = 60, int(os.environ.get("FUZZ_INPUTS", "10000"))
#: Seconds that one input may take; a busy machine is allowed for.
PATIENCE = 20


def fuzz(seeds, act, allowed, count):
    """Feed mutated inputs to a parser; return how many it took and how many it refused."""
    taken = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in mutated(seeds, count):
            started = time.monotonic()
            try:
                act(data)
                taken += 1
            except allowed as error:
                refused += bool(str(error))  # an error without a message does not count
            assert time.monotonic() - started < PATIENCE
    assert taken + refused == count
    assert refused, "nothing was broken: the mutation does not reach the parser"
    return taken, refused


def codec():
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=8)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(4, knots=2)
    model.build(layout_of(quantizer))
    return ECVQ(quantizer, model)


def emq(folder):
    made = codec()
    made.most_frames = 4096
    seeds = [made.compress(np.random.default_rng(n).normal(size=(n, 8)), lmbda) for n in (1, 9) for lmbda in (0.0, 0.3)]

    def act(data):
        packet = parse(data)
        assert packet.frames >= 1
        made.decompress(data)

    return seeds, act, BitstreamError


def emq_with_sound_checksums(folder):
    """The checksum is made right again, so that what lies behind it is reached."""
    import struct
    import zlib

    made = codec()
    made.most_frames = 64
    seeds, _, _ = emq(folder)

    def act(data):
        if len(data) > 8:
            data = data[:4] + struct.pack("<I", zlib.crc32(data[8:])) + data[8:]
        features = made.decompress(data)
        assert features.shape[1] == 8
        assert features.isfinite().all()

    return seeds, act, BitstreamError


def written(path, act):
    def run(data):
        path.write_bytes(data)
        return act(path)

    return run


def manifest(folder):
    for name in ("a.wav", "b.wav", "sub/c.wav"):
        write_tone(folder / name)
    text = 'path,emotion,speaker,split,text,id,start,end,votes_sad\na.wav,sad,x,train,"a, b",u1,0.1,0.2,3\n'
    text += "b.wav,happy,y,test,é,u2,,,\nsub/c.wav,angry,z,validation,,u3,0,1e-1,\n"

    def act(path):
        for utterance in ManifestCorpus(str(path)).utterances():
            assert utterance.path.resolve().is_relative_to(folder.resolve())

    return [text.encode()], written(folder / "m.csv", act), (ValueError, FileNotFoundError)


def wav(folder):
    seeds = []
    for kind in (
        {"subtype": "PCM_16"},
        {"subtype": "FLOAT"},
        {"subtype": "PCM_U8"},
        {"format": "FLAC"},
        {"format": "OGG"},
    ):
        buffer = io.BytesIO()
        soundfile.write(buffer, 0.1 * np.sin(np.arange(700) / 5), 16_000, **{"format": "WAV", **kind})
        seeds.append(buffer.getvalue())

    def act(path):
        audio_seconds(path)
        assert read_audio(path, shortest=1).isfinite().all()

    return seeds, written(folder / "a.wav", act), AudioError


def results(folder):
    write_results(
        folder / "s.csv",
        [Row("c", "x", 1.0, "all", "uar", 0.5, 0.1, 0.9, 3), Row("c", "ü", 2.0, *Row._fields[3:5], 1, 2, 3, 4)],
    )
    return [(folder / "s.csv").read_bytes()], written(folder / "results.csv", read_results), ValueError


def clips(folder):
    write_clips(folder / "s.csv", [Clip("a.wav", "synthesis", "A", "x", 1.0, "r", "t", "t", "sad", "s", 3, 0.5)])
    return [(folder / "s.csv").read_bytes()], written(folder / "manifest.csv", read_clips), ValueError


def compressed_rows(folder):
    write_rows(
        folder / "s.csv",
        [CompressedRow("a.emq", 9, 10.5, 3, 20, 5.0, 0.9), CompressedRow("b/ä.emq", 1, 1, 1, 1, 1, 1, "1")],
        CompressedRow,
    )
    return (
        [(folder / "s.csv").read_bytes()],
        written(folder / "manifest.csv", lambda path: read_rows(path, CompressedRow)),
        ValueError,
    )


def store(folder):
    made = FeatureStore(folder / "store", "ab", 4)
    with ShardWriter(made, 0, 1) as writer:
        for number in range(3):
            key = bytes([number]) * 16
            writer.add(key, torch.ones(2, 4), Part(f"u{number}", "/a.wav", 0.0, None))
            writer.note_source(Source("/a.wav", 1, number, key.hex(), number))
    made.merge()
    path = made.folder / "manifest.jsonl"

    def act(data):
        path.write_bytes(data)
        for journal in made.folder.glob("journal-*"):
            journal.unlink()
        again = FeatureStore(made.folder, "ab", 4)
        for row in again.index.rows_of():
            again.read(int(row))

    return [path.read_bytes()], act, (ValueError, DamagedEntryError)


def store_description(folder):
    FeatureStore(folder / "store", "ab", 4)
    path = folder / "store" / "store.json"
    return [path.read_bytes()], written(path, lambda _: FeatureStore(folder / "store", "ab", 4)), ValueError


def features_npy(folder):
    buffer = io.BytesIO()
    np.save(buffer, np.ones((5, 4), np.float32))

    def act(path):
        (features,) = read_features(find_sources(path), None)
        assert features.ndim == 2

    return [buffer.getvalue()], written(folder / "a.npy", act), (ValueError, FileNotFoundError)


def features_safetensors(folder):
    data = save({"utt 1": torch.ones(3, 4), "utt 2": torch.ones(2, 4)}, metadata={"a": "b"})

    def act(path):
        for source in find_sources(path):
            assert "/" not in source.name.name
            read_features([source], None)

    return [data], written(folder / "a.safetensors", act), (ValueError, FileNotFoundError)


def checkpoint(folder):
    save_codec(codec(), folder / "s.ckpt")
    return [(folder / "s.ckpt").read_bytes()], written(folder / "c.ckpt", load_codec), ValueError


def old_checkpoint(folder):
    """The format before archives: a bare pickle, every byte of which is an instruction."""
    torch.save({"a": [1, "b"], "w": torch.ones(3)}, folder / "s.pt", _use_new_zipfile_serialization=False)
    return [(folder / "s.pt").read_bytes()], written(folder / "c.pt", read_tensors), ValueError


def run_config(folder):
    text = """trainer:
  callbacks:
    - class_path: emoquant.callbacks.ResultsWriter
      init_args:
        reports:
          - class_path: emoquant.reports.RateCurves
            init_args: {metric: recall}
          - class_path: emoquant.reports.CrossMatrix
            init_args: {metric: recall, lmbda: 50.0}
"""
    return [text.encode()], written(folder / "config.yaml", configured_reports), ValueError


def textgrid(folder):
    text = """File type = "ooTextFile"
Object class = "TextGrid"

0
1
<exists>
2
"IntervalTier"
"phones"
0
1
2
0
0.5
"a"
0.5
1
"b"
"IntervalTier"
"words"
0
1
1
0
1
"ab"
"""
    return [text.encode()], written(folder / "a.TextGrid", read_textgrid), ValueError


PARSERS = [
    emq, emq_with_sound_checksums, manifest, wav, results, clips, compressed_rows, store, store_description,
    features_npy, features_safetensors, checkpoint, old_checkpoint, run_config, textgrid,
]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
def test_mutated_input_gives_a_result_or_the_documented_error(parser, tmp_path):
    fuzz(*parser(tmp_path), FEW if parser is not textgrid else FEW // 3)


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
def test_many_mutated_inputs(parser, tmp_path):
    taken, refused = fuzz(*parser(tmp_path), MANY)
    print(f"{parser.__name__}: {taken} taken, {refused} refused")
