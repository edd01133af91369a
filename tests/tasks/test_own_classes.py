"""Entropy models, quantizers and whole codecs of a user: trained, stored and loaded where they are allowed."""

import own_classes
import pytest
import torch
from test_codec_training import fit

from emoquant.codecs import ECVQ, Greedy, Identity, Mixture, Nearest, load_codec, save_codec
from emoquant.codecs.checkpoint import SECTION, describe_codec
from emoquant.codecs.history import History
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.origin import Origin
from emoquant.tasks import CodebookTask, CodecTask, EntropyTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*num_training_batches.*smaller than the logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*does not say which encoder"),
]

REFUSED = r"names the class 'own_classes\.Own\w+', which is not of emoquant: .*--allow_class own_classes "


def trained(quantizer, entropy, folder):
    task = CodecTask(quantizer, entropy, codebook_epochs=1, gate_epochs=1, sample_frames=200)
    fit(task, folder, epochs=3, limit_train_batches=2)
    return task, folder / "last.ckpt"


def test_own_entropy_model_and_quantizer_are_trained_and_loaded(tmp_path):
    task, path = trained(own_classes.OwnQuantizer(3, 2, 8), own_classes.OwnModel(0.5, knots=4), tmp_path)
    with pytest.raises(ValueError, match=REFUSED):
        load_codec(path)
    with pytest.raises(ValueError, match=REFUSED):
        load_codec(path, allow_class="own")  # no part of a name
    with pytest.raises(ValueError, match="OwnModel"):
        load_codec(path, allow_class="own_classes.OwnQuantizer")
    for allowed in ("own_classes", ["own_classes.OwnQuantizer", "own_classes.OwnModel"]):
        codec = load_codec(path, points=[1.0], allow_class=allowed)
        assert (type(codec), type(codec.entropy), type(codec.quantizer)) == (
            ECVQ,
            own_classes.OwnModel,
            own_classes.OwnQuantizer,
        )
        assert codec.entropy.slope == 0.5
        for name, value in task.entropy.state_dict().items():
            assert torch.equal(codec.entropy.state_dict()[name], value)
    features, lengths = torch.randn(2, 7, 12), torch.tensor([7, 4])
    assert codec(features, lengths).bits.sum() > 0
    save_codec(codec, tmp_path / "again.ckpt")
    again = load_codec(tmp_path / "again.ckpt", points=[1.0], allow_class="own_classes")
    assert torch.equal(again(features, lengths).codes, codec(features, lengths).codes)


def test_own_codebooks_are_loaded_by_the_second_stage(tmp_path):
    fit(CodebookTask(own_classes.OwnQuantizer(3, 2, 8), sample_frames=200), tmp_path / "a", epochs=1)
    path = tmp_path / "a" / "last.ckpt"
    with pytest.raises(ValueError, match=REFUSED):
        fit(EntropyTask(path, LightModel(8)), tmp_path / "b", epochs=1)
    task = EntropyTask(path, LightModel(8), allow_class="own_classes")
    fit(task, tmp_path / "b", epochs=1)
    assert type(task.quantizer) is own_classes.OwnQuantizer


def test_a_module_that_is_not_allowed_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    text = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nfrom own_classes import Scaling, Stranger"
    (tmp_path / "code" / "noticed.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    save_codec(own_classes.Scaling(4), tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)

    def named(class_path):
        content[SECTION]["codec"]["class_path"] = class_path
        torch.save(content, tmp_path / "b.ckpt")
        return tmp_path / "b.ckpt"

    with pytest.raises(ValueError, match=r"b\.ckpt names the class 'noticed\.Scaling', which is not of emoquant"):
        load_codec(named("noticed.Scaling"))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match=r"'noticed\.Stranger', which is no emoquant\.codecs\.base\.Codec"):
        load_codec(named("noticed.Stranger"), allow_class="noticed")
    assert type(load_codec(named("noticed.Scaling"), allow_class="noticed")) is own_classes.Scaling
    assert (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match=r"cannot be imported: .*'missing'.*; put its module where Python looks"):
        load_codec(named("missing.Scaling"), allow_class="missing")
    for ours in ("emoquant.codecs.Gone", "emoquant.gone.Codec"):
        with pytest.raises(ValueError, match=f"{ours}', which cannot be imported: .*; update emoquant"):
            load_codec(named(ours))
    with pytest.raises(ValueError, match="is no emoquant"):
        load_codec(named("emoquant.codecs.load_codec"))
    for nothing in ("Scaling", "a b.c", "", 3):
        with pytest.raises(ValueError, match="expected the path of a class"):
            load_codec(named(nothing), allow_class="a b")


def test_a_whole_codec_is_stored_and_loaded(tmp_path):
    codec = own_classes.Scaling(4, [2.0])
    codec.gain.data.uniform_()
    codec.origin = Origin("iic/plus", "00ff")
    save_codec(codec, tmp_path / "mine.ckpt")
    loaded = load_codec(tmp_path / "mine.ckpt", allow_class="own_classes.Scaling")
    assert (loaded.name, loaded.points, loaded.dim, loaded.origin) == ("mine", (2.0,), 4, codec.origin)
    assert loaded.source.encoder == codec.origin
    assert not loaded.gain.requires_grad
    features, lengths = torch.randn(2, 5, 4), torch.tensor([5, 3])
    for ours, theirs in zip(codec(features, lengths), loaded(features, lengths), strict=True):
        assert torch.equal(ours, theirs)
    other = load_codec(tmp_path / "mine.ckpt", [0, 1], "x", any_encoder=True, allow_class="own_classes")
    assert (other.name, other.points, other.origin) == ("x", (0.0, 1.0), None)
    with pytest.raises(ValueError, match="beam and survivors must be 1"):
        load_codec(tmp_path / "mine.ckpt", beam=2, allow_class="own_classes")
    for use in (Greedy, Mixture):
        with pytest.raises(ValueError, match=r"needs codebooks and an entropy model: .* not 'mine', a Scaling"):
            use(loaded)
    with pytest.raises(ValueError, match="holds a codec without codebooks"):
        fit(EntropyTask(tmp_path / "mine.ckpt", LightModel(8), any_encoder=True), tmp_path, epochs=1)


def test_a_task_describes_a_whole_codec_with_its_training(tmp_path):
    codec, history = own_classes.Scaling(4), History("esd", 9, "search", 2, 2, {"sad": 1.0}, 3)
    section = describe_codec(codec, Origin("iic/plus", "00ff"), history)
    state = {f"codec.{name}": value for name, value in codec.state_dict().items()}
    torch.save({SECTION: section, "state_dict": state}, tmp_path / "a.ckpt")
    assert load_codec(tmp_path / "a.ckpt", allow_class="own_classes").source.history == history


@pytest.mark.parametrize("codec", [own_classes.Plain(4), Identity(), Nearest(GroupedResidualVQ(2, 1, 4, dim=8))])
def test_a_codec_without_settings_cannot_be_stored(codec, tmp_path):
    with pytest.raises(ValueError, match=f"{codec.name!r} cannot be stored: {type(codec).__name__} has no settings"):
        save_codec(codec, tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


class Local:
    """Where a class of a function is no class of a module."""

    class Model(own_classes.OwnModel):
        pass


@pytest.mark.parametrize(
    ("entropy", "message"),
    [
        (Local.Model(), r"Local\.Model could not be loaded again .* at the top level of a module"),
        (own_classes.Forgetful(knots=4), r"settings\(\) of own_classes\.Forgetful leaves out the constructor's extra"),
        (own_classes.Foreign(), r"Foreign\(\*\*settings\(\)\) fails, .* could not make it again: .*Weights only"),
        (
            own_classes.Growing(knots=4),
            r"in a checkpoint of own_classes\.Growing do not fit their description: 'more' is \(1,\), expected \(2,\)",
        ),
        (own_classes.Scaling(4), r"own_classes\.Scaling is no EntropyModel: expected a subclass of emoquant\.entropy"),
    ],
)
def test_what_could_not_be_loaded_is_refused_before_training(entropy, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        fit(CodecTask(GroupedResidualVQ(3, 2, 8), entropy), tmp_path, epochs=3)
    assert not list(tmp_path.glob("*.ckpt"))


def test_another_quantizer_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"is no GroupedResidualVQ: .* can be written as a whole emoquant\.codecs\.C"):
        fit(CodecTask(own_classes.Scaling(12), LightModel(8)), tmp_path, epochs=3)
