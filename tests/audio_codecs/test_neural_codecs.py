"""Neural codecs of transformers through one class: codes and waveforms are those of a direct call."""

import json
import math

import pytest
import torch
from pretrained_models import save_codec

from emoquant.audio.loading import resampled
from emoquant.audio_codecs import TransformersCodec
from emoquant.audio_codecs.families import FAMILIES
from emoquant.encoders.pretrained import load_front_end, load_pretrained, read_settings


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Return the folder of a family's model, saved on first use."""
    root, found = tmp_path_factory.mktemp("codecs"), {}

    def folder(family):
        if family not in found:
            found[family] = save_codec(family, root / family)
        return found[family]

    return folder


def directly(family, folder, waveform, codebooks):
    """Return codes ``(P, T)`` and samples that transformers gives for one utterance, called as it documents."""
    settings = read_settings(folder)
    network = load_pretrained(folder, settings)
    with torch.no_grad():
        if family in ("xcodec2", "neucodec"):
            given = load_front_end(folder)([waveform.numpy()], sampling_rate=16_000, return_tensors="pt")
            codes = network.encode(given["input_values"], given["input_features"]).audio_codes
            return codes[0], network.decode(codes).audio_values.flatten()
        if family == "encodec":
            found = network.encode(waveform[None, None], bandwidth=settings.target_bandwidths[codebooks // 2])
            return found.audio_codes[0, 0], network.decode(*found[:2]).audio_values.flatten()
        hop = 1 if family == "mimi" else settings.hop_length
        samples = torch.nn.functional.pad(waveform, (0, -len(waveform) % hop))[None, None]
        if family == "mimi":
            codes = network.encode(samples, num_quantizers=codebooks).audio_codes
        elif family == "dac":
            codes = network.encode(samples, n_quantizers=codebooks).audio_codes
        else:
            codes = network.encode(samples, bandwidth=settings.target_bandwidths[codebooks - 1]).audio_codes
        sound = network.decode(audio_codes=codes).audio_values
        return codes[0], sound.flatten()


@pytest.mark.parametrize("family", FAMILIES)
def test_codes_and_waveforms_are_those_of_a_direct_call(family, models, clips):
    codec = TransformersCodec(str(models(family)))
    assert codec.name == family
    assert list(codec.points) == sorted(codec.points)
    for point in (codec.points[0], codec.points[-1]):
        coded = codec.recode(clips, point)
        for clip, each in list(zip(clips, coded, strict=True))[1:3]:
            native = resampled(clip.waveform, 16_000, codec.sample_rate)
            count = codec._counts[point]
            codes, sound = directly(family, models(family), native, count)
            assert torch.equal(each.codes, codes.T)
            assert each.codes.shape[1] == count
            rate = 24_000 if family == "neucodec" else codec.sample_rate
            expected = resampled(sound, rate, 16_000)[: len(clip.waveform)]
            torch.testing.assert_close(each.waveform[: len(expected)], expected, atol=1e-5, rtol=0)
            assert each.waveform.shape == clip.waveform.shape
            assert each.bits == each.codes.numel() * math.log2(codec.codewords)
            assert each.bits / len(clip.waveform) * 16_000 == pytest.approx(point, rel=0.1)
    assert 0 <= int(each.codes.min()) < int(each.codes.max()) < codec.codewords


def test_what_comes_of_a_clip_does_not_depend_on_the_others(models, clips):
    codec = TransformersCodec(str(models("dac")), [2])
    together = codec.recode(clips, codec.points[0])
    for clip, each in zip(clips, together, strict=True):
        alone = codec.recode([clip], codec.points[0])[0]
        assert torch.equal(alone.codes, each.codes)
        torch.testing.assert_close(alone.waveform, each.waveform, atol=1e-6, rtol=0)


def test_rates_are_named_by_codebooks(models):
    folder = str(models("mimi"))
    codec = TransformersCodec(folder, [3], "three")
    assert (codec.name, codec.points) == ("three", (150.0,))
    with pytest.raises(ValueError, match="no operating point 75; it has 150"):
        codec.recode([], 75)
    for model, books in ((folder, [5]), (str(models("encodec")), [3])):
        with pytest.raises(ValueError, match=rf"has no {books[0]} codebooks: expected numbers among 1, 2, 4"):
            _ = TransformersCodec(model, books).points


def test_bad_folders_give_one_error_each(models, clips, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder '/nowhere/codec'"):
        _ = TransformersCodec("/nowhere/codec").points
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in models("dac").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "model_type": "hubert"}))
    with pytest.raises(ValueError, match="family 'hubert', which is no audio codec"):
        _ = TransformersCodec(str(copy)).points
    (copy / "config.json").write_text(json.dumps({**settings, "n_codebooks": 5}))
    with pytest.raises(ValueError, match=r"do not fit its config.json: quantizer.quantizers.3"):
        TransformersCodec(str(copy), [1]).recode(clips[:1], 200.0)
    (copy / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no weights"):
        TransformersCodec(str(copy)).fingerprint()
