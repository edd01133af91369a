"""Manifests as spreadsheets, other systems and YAML write them; what is missing is asked for by the option's name."""

import pytest
from fake.corpora import write_tone
from jsonargparse import ArgumentParser

from emoquant.data.base import Corpus
from emoquant.data.manifest import ManifestCorpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for number, speaker in enumerate("abc"):
        for place, emotion in enumerate(("angry", "happy", "neutral", "sad")):
            write_tone(folder / speaker / f"{place}.wav", emotion, number=number * 10 + place)
    return folder


def lines(speakers="abc", separator=",", slash="/", names=("angry", "happy", "neutral", "sad")):
    return "".join(
        f"{speaker}{slash}{place}.wav{separator}{name}{separator}{speaker}\n"
        for speaker in speakers
        for place, name in enumerate(names)
    )


def corpus(folder, text, encoding="utf-8", **options):
    (folder / "m.csv").write_bytes(text.encode(encoding))
    return ManifestCorpus(str(folder / "m.csv"), **options)


def read(folder, text, encoding="utf-8", **options):
    return list(corpus(folder, text, encoding, **options).utterances())


def test_the_name_is_the_folder_s_unless_it_is_given(folder, monkeypatch):
    assert corpus(folder, "").name == folder.name
    assert ManifestCorpus(str(folder / "m.csv"), root="/data/ESD/").name == "ESD"
    assert ManifestCorpus(str(folder / "m.csv"), name="mine").name == "mine"
    monkeypatch.chdir(folder)
    assert ManifestCorpus("m.csv").name == folder.name


def test_every_spelling_of_a_table_gives_the_same_utterances(folder):
    plain = read(folder, "path,emotion,speaker\n" + lines())
    assert len(plain) == 12
    assert plain[0].path.is_file()
    assert read(folder, "path;emotion;speaker\n" + lines(separator=";")) == plain
    assert read(folder, "path\temotion\tspeaker\r\n" + lines(separator="\t").replace("\n", "\r\n")) == plain
    assert read(folder, "path|emotion|speaker\n" + lines(separator="|")) == plain
    assert read(folder, "Path, EMOTION ,Speaker\n" + lines()) == plain
    assert read(folder, "path,emotion,speaker\n" + lines(slash="\\")) == plain
    assert read(folder, "path;emotion;speaker;;\n" + lines(separator=";").replace("\n", ";;\n") + ";;;;\n") == plain
    assert read(folder, "path,emotion,speaker\n" + lines(), "utf-8-sig") == plain
    assert read(folder, "path\temotion\tspeaker\n" + lines(separator="\t"), "utf-16") == plain
    inside = "path,emotion,speaker\n" + "".join(f"{folder}/{line}\n" for line in lines().splitlines())
    assert read(folder, inside) == plain
    assert (
        read(folder, "File;Label;speaker\n" + lines(separator=";"), columns={"path": "file", "emotion": "label"})
        == plain
    )


def test_absolute_paths_through_a_link_to_the_root_are_inside(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    text = "path,emotion,speaker\n" + "".join(f"{folder}/{line}\n" for line in lines().splitlines())
    corpus(folder, text)
    assert len(ManifestCorpus(str(tmp_path / "link" / "m.csv")).utterances()) == 12


def test_numbers_with_a_decimal_comma(folder):
    first, _ = read(folder, 'path;emotion;split;start;end\na/0.wav;sad;test;"0,05";0,2\na/1.wav;sad;test;;\n')
    assert (first.start, first.end, first.id) == (0.05, 0.2, "a~0@0.05")


@pytest.mark.parametrize(
    ("emotions", "names"),
    [
        ({0: "angry", 1: "happy", 2: "neutral", 3: "sad"}, ("0", "1", "2", "3")),
        ({5: "angry", 3: "joy", 1: "neutral", 8: "sad"}, ("05", "03", "01", "08")),
        ({True: "anger", False: "happy", 1.5: "neutral", "Trauer": "sad"}, ("yes", "no", "1.5", "Trauer")),
        ({"0": "angry", "1": "happy", "2": "neutral", "3": "sad"}, ("0", "1", "2", "3")),
    ],
)
def test_emotions_whose_names_yaml_reads_as_numbers_or_truth_values(folder, emotions, names):
    found = read(folder, "path,emotion,speaker\n" + lines(names=names), emotions=emotions)
    assert [u.emotion for u in found] == ["angry", "happy", "neutral", "sad"] * 3


def test_a_configuration_with_such_keys_and_values(folder):
    (folder / "numbers.csv").write_text(
        "path,emotion,speaker,fold,yes\n" + "".join(
            f"{s}/{p}.wav,{p},{s},{p % 2},{'on' if p else 'off'}\n" for s in "abc" for p in range(4)
        )
    )  # fmt: skip
    (folder / "c.yaml").write_text(
        "class_path: emoquant.data.manifest.ManifestCorpus\ninit_args:\n"
        f"  manifest: {folder}/numbers.csv\n"
        "  emotions: {0: angry, 1: happy, 2: neutral, 3: sad}\n"
        "  where: {fold: [1, 2]}\n"
    )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Corpus, "data")
    chosen = ["--data", str(folder / "c.yaml")]
    found = parser.instantiate(parser.parse_args(chosen)).data.utterances()
    assert sorted(u.id for u in found) == ["a~1", "a~3", "b~1", "b~3", "c~1", "c~3"]
    assert {u.emotion for u in found} == {"happy", "sad"}
    by_flag = [*chosen, "--data.init_args.emotions.3", "fear", "--data.init_args.where.yes", "off"]
    by_flag += ["--data.init_args.where.fold", "0"]
    found = parser.instantiate(parser.parse_args(by_flag)).data.utterances()
    assert sorted(u.id for u in found) == ["a~0", "b~0", "c~0"]


def test_path_and_emotion_are_enough(folder):
    text = "path,emotion\n" + "".join(f"{line[:-2]}\n" for line in lines().splitlines())
    with pytest.warns(UserWarning, match=r"m\.csv: .* drawn at random, so that speakers are in all of them"):
        found = read(folder, text)
    for emotion in ("angry", "happy", "neutral", "sad"):
        assert sorted(u.split for u in found if u.emotion == emotion) == ["test", "train", "validation"]
    with pytest.warns(UserWarning, match="at random"):
        assert read(folder, text) == found
    with pytest.warns(UserWarning, match="at random"):
        assert read(folder, text, seed=3) != found
    with pytest.warns(UserWarning, match="at random"):
        mixed = read(folder, "path,emotion,speaker\n" + lines(), split="random")
    assert [u.split for u in mixed] == [u.split for u in found]


FLAG = r"\(--data\.corpora\."
ASKED = {
    "two speakers": (
        "path,emotion,speaker\n" + lines("ab"),
        rf"m\.csv: split by speaker: 2 speakers \(a, b\) where at least 3 are needed.*; divide by utterances, whoever "
        rf"speaks, split: random {FLAG}split random\)",
    ),
    "two speakers who say sentences": (
        "path,emotion,speaker,text\n" + "".join(f"a/{n}.wav,sad,{'ab'[n % 2]},say {n}\n" for n in range(4)),
        rf"2 speakers.*; divide by sentences, split: text {FLAG}split text\), or utterances.*split: random",
    ),
    "a line without a speaker": (
        "path,emotion,speaker\na/0.wav,sad,a\na/1.wav,sad,\n",
        r"line 3: no speaker; fill it in, or .*split: random",
    ),
    "no column emotion": (
        "path,mood\na/0.wav,sad\n",
        rf"line 1: no column \['emotion'\]; the file has \['path', 'mood'\].*columns: \{{emotion: NAME\}} {FLAG}"
        r"columns\.emotion NAME\)",
    ),
    "names of emotions in another language": (
        "path,emotion,speaker\n" + lines(names=("Wut", "Freude", "neutral", "Trauer")),
        r"line 2: unknown emotion 'Wut' \(and 'Freude', 'Trauer'\).*emotions: \{Wut: angry\} "
        rf"{FLAG}emotions\.Wut angry\)",
    ),
    "a path outside": (
        "path,emotion\n../x.wav,sad\n",
        r"line 2: path '../x.wav' leads out of root, which is .*root: FOLDER .*allow_outside: true "
        rf"{FLAG}allow_outside true",
    ),
    "a path of a Windows drive": ("path,emotion\nC:\\data\\x.wav,sad\n", "line 2: .* of a Windows drive; write paths"),
    "columns that differ in capitals": (
        "path,Emotion,EMOTION\na/0.wav,sad,sad\n",
        r"columns \['Emotion', 'EMOTION'\] differ in capitals only",
    ),
    "a column of votes of no emotion": ("path,emotion,votes_Wut\na/0.wav,sad,1\n", "line 1: unknown emotion 'Wut'"),
    "a split of one line only": ("path,emotion,split\na/0.wav,sad,train\na/1.wav,sad,\n", "line 3: no split"),
}


@pytest.mark.parametrize("case", ASKED)
def test_one_message_names_what_is_wrong_and_the_option(folder, case):
    text, message = ASKED[case]
    with pytest.raises(ValueError, match=message):
        read(folder, text)


def test_what_an_emotion_is_said_to_mean_must_be_one(folder):
    with pytest.raises(ValueError, match=r"emotions: \{Wut: angri\}: unknown emotion 'angri'"):
        read(folder, "path,emotion,speaker\n" + lines(), emotions={"Wut": "angri"})


def test_a_folder_is_no_manifest(folder):
    with pytest.raises(FileNotFoundError, match="a folder; expected a CSV file: write one with emoquant manifest"):
        ManifestCorpus(str(folder)).utterances()
