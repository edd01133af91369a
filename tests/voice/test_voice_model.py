from pathlib import Path

import pytest
import torch
import yaml
from voice_batches import TINY, items, padded_batch, style_reference, voice_batch

from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Dropped
from emoquant.voice.tts.style import LEVELS

PRESETS = Path(__file__).parent.parent.parent / "configs" / "model" / "tts"


def tiny(seed=0, **changes):
    torch.manual_seed(seed)
    return GenerSpeech(Architecture(**{**TINY, **changes}), 10, 8, 6, 5, 140.0, 20.0)


def started(seed=0, **changes):
    """Return a model in evaluation whose codebooks and flow have seen a batch and whose weights are nowhere zero."""
    model = tiny(seed, **changes)
    model.train()(voice_batch(seed=7))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def prompt(batch):
    vectors = batch.emotion_frames.sum(1) / batch.emotion_lengths.unsqueeze(1)
    return batch.phones, batch.phone_lengths, vectors, batch.speaker_vectors, batch.style


def test_published_size():
    model = GenerSpeech(Architecture(), 80, 80, 256, 256, 150.0, 40.0)
    count = sum(parameter.numel() for parameter in model.parameters())
    nulls = 3 * 256
    dead_convolutions = 3 * (80 * 640 + 2 * 640)  # the published style encoders have one each that is never used
    assert count - nulls + dead_convolutions == 51_636_821
    by_part = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert by_part["postnet"] == 14_589_472
    assert by_part["decoder"] == 11_564_624
    assert by_part["duration"] == 395_009
    wide = GenerSpeech(Architecture(), 80, 80, 768, 256, 150.0, 40.0)
    assert sum(parameter.numel() for parameter in wide.parameters()) == count + 512 * 256


SIZES = {"generspeech": 51.6, "base": 39.7, "small": 16.27, "mini": 5.12, "toy": 2.53}


@pytest.mark.parametrize(("name", "millions"), SIZES.items())
def test_presets(name, millions):
    architecture = Architecture(**yaml.safe_load((PRESETS / f"{name}.yaml").read_text()))
    model = GenerSpeech(architecture, 80, 80, 768, 256, 150.0, 40.0)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    if name == "generspeech":
        assert architecture == Architecture(emotion_norm="l2")


def test_architecture_names_what_does_not_fit():
    with pytest.raises(ValueError, match="hidden is 15"):
        Architecture(hidden=15)
    with pytest.raises(ValueError, match="odd width"):
        Architecture(kernel=4)
    with pytest.raises(ValueError, match="at least 257"):
        Architecture(pitch_bins=100)


@pytest.mark.parametrize("junk", [0.0, 1e3, float("nan")])
def test_padding_changes_nothing_in_a_teacher_forced_pass(junk):
    model, batch = started(), voice_batch()
    with torch.no_grad():
        plain, padded = model(batch), model(padded_batch(batch, junk=junk))
    size, phones = batch.mels.shape[1], batch.phones.shape[1]
    torch.testing.assert_close(padded.mels[:, :size], plain.mels, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(padded.log_durations[:, :phones], plain.log_durations, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(padded.melody.f0[:, :size], plain.melody.f0, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(padded.nll, plain.nll, atol=2e-6, rtol=1e-5)
    assert not padded.mels[:, size:].any()
    for level in LEVELS:
        codes = plain.styles[level].coded.codes
        assert torch.equal(padded.styles[level].coded.codes[:, : codes.shape[1]], codes)


def test_an_item_does_not_depend_on_its_batch():
    model, batch = started(), voice_batch()
    seeds = torch.tensor([3, 1, 2])
    together = model.infer(*prompt(batch), seeds=seeds)
    for row in range(3):
        alone = model.infer(*prompt(items(batch, [row])), seeds=seeds[row : row + 1])
        length = int(alone.mel_lengths[0])
        assert together.mel_lengths[row] == length
        torch.testing.assert_close(together.mels[row, :length], alone.mels[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.f0[row, :length], alone.f0[0], atol=1e-3, rtol=1e-5)
        assert not together.mels[row, length:].any()
        assert not together.f0[row, length:].any()


def test_the_same_seed_gives_the_same_noise_and_another_does_not():
    model, batch = started(), voice_batch()
    first, again = (model.infer(*prompt(batch), seeds=torch.tensor([1, 2, 3])) for _ in range(2))
    other = model.infer(*prompt(batch), seeds=torch.tensor([1, 2, 4]))
    assert torch.equal(first.mels, again.mels)
    assert torch.equal(first.mels[:2], other.mels[:2])
    assert not torch.equal(first.mels[2], other.mels[2])
    quiet = model.infer(*prompt(batch), noise=0.0)
    assert torch.isfinite(quiet.mels).all()


def test_inference_with_given_durations_and_melody_is_the_teacher_forced_decoder():
    model, batch = started(), voice_batch()
    with torch.no_grad():
        forced = model(batch)
    said = model.infer(*prompt(batch), durations=batch.durations, f0=batch.f0, voiced=batch.voiced, postnet=False)
    torch.testing.assert_close(said.mels, forced.mels, atol=1e-5, rtol=1e-5)
    assert torch.equal(said.mel_lengths, batch.mel_lengths)
    assert torch.equal(said.f0, batch.f0)


def test_every_condition_matters_and_can_be_left_out():
    model, batch = started(), voice_batch()
    phones, lengths, emotion, speaker, style = prompt(batch)
    options = {"durations": batch.durations, "postnet": False}
    full = model.infer(phones, lengths, emotion, speaker, style, **options).mels
    for changed in [
        (None, speaker, style),
        (emotion, None, style),
        (emotion, speaker, None),
        (emotion + 1, speaker, style),
        (emotion, speaker.flip(0), style),
        (emotion, speaker, style_reference([20, 20, 20], seed=9)),
    ]:
        assert not torch.allclose(full, model.infer(phones, lengths, *changed, **options).mels, atol=1e-3)


def test_dropped_conditions_are_those_left_out_in_inference():
    model, batch = started(), voice_batch()
    everybody = torch.ones(3, dtype=torch.bool)
    with torch.no_grad():
        forced = model(batch, dropped=Dropped(everybody, ~everybody, everybody))
    said = model.infer(
        batch.phones, batch.phone_lengths, None, batch.speaker_vectors, None,
        durations=batch.durations, f0=batch.f0, voiced=batch.voiced, postnet=False,
    )  # fmt: skip
    torch.testing.assert_close(said.mels, forced.mels, atol=1e-5, rtol=1e-5)


def test_scales_slow_down_and_raise():
    model, batch = started(), voice_batch()
    model.duration.output.bias.data += 1.5
    plain = model.infer(*prompt(batch), postnet=False)
    slow = model.infer(*prompt(batch), postnet=False, duration_scale=2.0)
    assert (slow.mel_lengths > plain.mel_lengths).all()
    high = model.infer(*prompt(batch), postnet=False, f0_scale=1.5)
    torch.testing.assert_close(high.f0, plain.f0 * 1.5)


def test_mistakes_are_named():
    model, batch = started(), voice_batch()
    with pytest.raises(ValueError, match="needs seeds"):
        model.infer(*prompt(batch))
    with pytest.raises(ValueError, match="belong together"):
        model.infer(*prompt(batch), f0=batch.f0, postnet=False)
    with pytest.raises(ValueError, match="do not fit the durations"):
        model.infer(*prompt(batch), f0=batch.f0[:, 1:], voiced=batch.voiced[:, 1:], durations=batch.durations, noise=0)
    with pytest.raises(ValueError, match="training mode"):
        model.train().infer(*prompt(batch), postnet=False)


@pytest.mark.parametrize("forcing", [1.0, 0.0])
@pytest.mark.parametrize("quantize", [True, False])
def test_every_parameter_has_a_gradient_at_every_step(forcing, quantize):
    model, batch = tiny().train(), voice_batch()
    output = model(batch, forcing=forcing, quantize=quantize)
    weights = sum(style.attended.weights.square().sum() for style in output.styles.values())
    commitment = sum(style.coded.commitment for style in output.styles.values())
    terms = [output.mels, output.log_durations, output.melody.f0, output.melody.voicing, output.nll]
    (sum(term.sum() for term in terms) + weights + commitment).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []


def test_the_post_net_does_not_train_the_rest():
    model, batch = tiny().train(), voice_batch()
    model(batch).nll.backward()
    outside = [name for name, p in model.named_parameters() if p.grad is not None and not name.startswith("postnet")]
    assert outside == []


def test_bfloat16_stays_finite_and_keeps_the_exact_parts_in_float32():
    model, batch = tiny().train(), voice_batch()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(batch)
    assert output.mels.dtype == torch.bfloat16
    exact = [output.nll, output.conditions, output.log_durations, output.melody.f0, output.styles["word"].coded.styles]
    assert all(tensor.dtype == torch.float32 for tensor in exact)
    assert all(torch.isfinite(tensor).all() for tensor in [output.mels, *exact])
    (output.nll + output.mels.float().square().mean()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_durations_are_predicted_in_float32():
    predictor, mask = started().duration, torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    for dtype in (torch.float32, torch.bfloat16):
        content = torch.randn(2, 7, TINY["hidden"]).to(dtype)
        exact = predictor(content.float(), mask)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(predictor(content, mask), exact)


def test_emotion_norms():
    frames = voice_batch().emotion_frames
    vectors, nobody = frames.mean(1), torch.zeros(3, dtype=torch.bool)
    shortened = {}
    for norm in ("none", "l2", "standardize"):
        project = tiny(emotion_norm=norm).emotion
        project.set_statistics(torch.full((6,), 0.5), torch.full((6,), 2.0))
        shortened[norm] = torch.equal(project(vectors, nobody), project(0.5 * vectors, nobody))
        expected = {
            "none": vectors,
            "l2": vectors / vectors.norm(dim=1, keepdim=True),
            "standardize": (vectors - 0.5) / 2,
        }
        torch.testing.assert_close(project(vectors, nobody)[:, 0], project.linear(expected[norm]))
    assert not shortened["none"]
    assert not shortened["standardize"]
    with pytest.raises(ValueError, match="6 dimensions"):
        project.set_statistics(torch.zeros(7), torch.ones(7))
