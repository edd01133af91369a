"""Codecs as a YAML names them: specs, opened in a folder of runs."""

import pytest
import torch
import yaml
from test_history import DONE, write

from emoquant.codecs import Cascade, Greedy, Mixture
from emoquant.codecs.specs import Place, expand, open_codecs, runs_named

EMOTIONS = ["angry", "neutral"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of runs with a codec, and one of each emotion."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("codec", "codec_angry", "codec_neutral"):
        path = folder / name / "version_0" / "checkpoints"
        path.mkdir(parents=True)
        emotion = name.removeprefix("codec").strip("_")
        shares = {emotion: 1.0} if emotion else {"angry": 0.5, "neutral": 0.5}
        torch.manual_seed(0)
        write(path / "last.ckpt", DONE._replace(emotions=shares))
    return Place(str(folder))


def opened(text, place):
    return open_codecs(yaml.safe_load(text), EMOTIONS, place)


def test_a_run_is_opened_by_its_name_and_has_its_name_or_another(place):
    first, second, third = opened("[{run: codec}, {run: codec, as: other, survivors: 4}, codec_angry]", place)
    assert [first.name, second.name, third.name] == ["codec", "other", "codec_angry"]
    assert (first.survivors, second.survivors) == (1, 4)


def test_points_are_given_once_for_all_codecs_that_name_none(place):
    place = place._replace(points=[0, 3])
    first, second, greedy = opened(
        "[{run: codec}, {run: codec, as: own, points: [7]},"
        " {class_path: emoquant.codecs.Greedy, init_args: {codec: {run: codec}, points: [0.5]}}]",
        place,
    )
    assert (first.points, second.points, greedy.points) == ((0.0, 3.0), (7.0,), (0.5,))


def test_arguments_of_classes_are_specs_again(place):
    text = """
    - {class_path: emoquant.codecs.Mixture, init_args: {rule: vote, codec: {run: codec}}}
    - {class_path: Cascade, init_args: {name: both, at: 2, first: {run: codec_neutral}, then: {run: codec_angry}}}
    - {class_path: Greedy, init_args: {codec: {run: codec}}}
    """
    mixture, cascade, greedy = opened(text, place)
    assert (type(mixture), type(cascade), type(greedy)) == (Mixture, Cascade, Greedy)
    assert cascade.first.name == "codec_neutral"
    assert not cascade.training
    assert not any(parameter.requires_grad for parameter in cascade.parameters())


def test_one_line_is_a_codec_for_every_emotion(place):
    found = opened("[{per_emotion: 'codec_{emotion}', points: [1]}]", place)
    assert [(codec.name, codec.points) for codec in found] == [("angry", (1.0,)), ("neutral", (1.0,))]
    nested = yaml.safe_load(
        "[{without: [neutral], per_emotion: {class_path: Cascade, init_args: {name: 'neutral_{emotion}',"
        " first: {run: codec_neutral}, then: {run: 'codec_{emotion}'}}}}]"
    )
    assert runs_named(expand(nested, EMOTIONS)) == ["codec_neutral", "codec_angry"]
    (cascade,) = open_codecs(nested, EMOTIONS, place)
    assert cascade.name == "neutral_angry"


def test_what_a_codec_was_trained_on_comes_from_its_checkpoint(place):
    codec, angry, cascade, mixture = opened(
        "[{run: codec}, {run: codec_angry, as: joy},"
        " {class_path: Cascade, init_args: {first: {run: codec_neutral}, then: {run: codec_angry}}},"
        " {class_path: Mixture, init_args: {codec: {run: codec_angry}}}]",
        place,
    )
    assert dict(codec.trained_on) == {"angry": 0.5, "neutral": 0.5}
    assert dict(angry.trained_on) == dict(cascade.trained_on) == dict(mixture.trained_on) == {"angry": 1.0}


def test_the_spelling_of_earlier_versions_is_read(place):
    text = f"[{{class_path: emoquant.codecs.load_codec, init_args: {{checkpoint: {place.folder}/codec, name: old}}}}]"
    (codec,) = opened(text, place)
    assert codec.name == "old"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{run: codek}]", r"no run 'codek'.*did you mean codec"),
        ("[{run: codec, point: [1]}]", r"unknown key 'point'.*did you mean points"),
        ("[{as: x}]", "is no codec: expected a key `run`, `class_path` or `per_emotion`"),
        ("[{run: codec}, {run: codec}]", "two codecs are named codec: give each its own name with `as:`"),
        ("[{class_path: emoquant.codecs.Gredy}]", r"no codec class 'emoquant.codecs.Gredy'.*did you mean Greedy"),
        ("[{class_path: pathlib.Path}]", "pathlib.Path is no codec"),
    ],
)
def test_wrong_specs_say_what_is_expected(place, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        opened(text, place)
