import json
import math

import pytest
from PIL import Image
from synthetic_rows import EMOTIONS, LAMBDAS, make_row, sweep_rows

from emoquant.reports import ConfusionMatrices, CrossMatrix, EmotionTable, MissingRowsError
from emoquant.storage.results import read_results


def cells(line):
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def markdown_table(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [cells(line) for line in lines]


def test_markdown_holds_the_rows_with_intervals_and_n(rows, tmp_path):
    EmotionTable("recall").write(rows, tmp_path)
    head, _, *body, counts = markdown_table((tmp_path / "recall_table.md").read_text())
    assert head == ["λ", *EMOTIONS, "UAR"]
    assert [line[0] for line in body] == ["none", "0", "0.0001", "0.1", "1", "10", "100", "500"]
    assert counts == ["n", "20", "20", "20", "20", "20", "100"]
    wanted = {(r.lmbda, r.emotion): r for r in rows if (r.metric, r.emotion == "all") in (("recall", 0), ("uar", 1))}
    for line, point in zip(body[1:], LAMBDAS, strict=True):
        for text, emotion in zip(line[1:], (*EMOTIONS, "all"), strict=True):
            row = wanted[point, emotion]
            assert text == rf"{100 * row.value:.1f} \[{100 * row.low:.1f}, {100 * row.high:.1f}\]"


def test_latex_has_the_same_numbers_and_compiles_in_principle(rows, tmp_path):
    EmotionTable("utterance_similarity", emotions=["neutral", "sad"], overall=False).write(rows, tmp_path)
    text = (tmp_path / "utterance_similarity_table.tex").read_text()
    assert r"\begin{tabular}{lrr}" in text
    assert r"none & 0.900 {\scriptsize[0.860, 0.940]} & 0.900" in text
    assert "$-$0.0" in text, "negative numbers need a minus sign"
    assert text.count("{") == text.count("}")
    assert "λ" not in text
    assert "utterance_" not in text


def test_the_rows_shown_and_the_caption_are_kept(rows, tmp_path):
    paths = EmotionTable("recall").write(rows, tmp_path)
    assert {path.name for path in paths} == {f"recall_table.{s}" for s in ("png", "svg", "md", "tex", "csv")} | {
        "captions.json"
    }
    shown = read_results(tmp_path / "recall_table.csv")
    assert {row.metric for row in shown} == {"recall", "uar"}
    assert len(shown) == 8 * 6
    (entry,) = json.loads((tmp_path / "captions.json").read_text())["artifacts"]
    assert "n = 20 utterances for each of angry, happy, neutral, sad and surprise (100 together)" in entry["caption"]
    assert "resampling speakers" in (tmp_path / "recall_table.md").read_text()
    assert entry["n"] == [20, 100]
    assert entry["report"]["class_path"] == "emoquant.reports.EmotionTable"


def test_pictures_are_not_blank_and_always_the_same(rows, tmp_path):
    for folder in ("a", "b"):
        EmotionTable("recall").write(rows, tmp_path / folder)
    with Image.open(tmp_path / "a/recall_table.png") as image:
        assert image.width > 800
        assert len(image.convert("RGB").getcolors(10**6)) > 50
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert not list(tmp_path.rglob("*.tmp"))


def test_published_figures_stand_beside_ours(rows, tmp_path):
    reference = tmp_path / "published.csv"
    reference.write_text("lambda,angry,sad,overall\n0,97.0,73.5,87.6\n500,0.5,0.0,20.0\n")
    artifact = EmotionTable("recall", reference=str(reference)).draw_rows(rows)[0]
    texts = [text.get_text() for axes in artifact.figure.axes for text in axes.texts]
    assert {"97.0", "73.5", "87.6", "0.5", "20.0"} <= set(texts)
    assert "published" in [axes.get_title() for axes in artifact.figure.axes]
    assert not any(row.corpus == "published" for row in artifact.rows)


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "lambda,sad\n0,much\n"])
def test_a_damaged_reference_is_named(rows, tmp_path, content):
    path = tmp_path / "published.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"published\.csv"):
        EmotionTable("recall", reference=str(path)).write(rows, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="option `reference`"):
        EmotionTable("recall", reference=str(tmp_path / "none.csv")).write(rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_rows_raise_and_write_nothing(rows, tmp_path):
    for report in (EmotionTable("warmth"), EmotionTable(codecs=["x"]), EmotionTable(stratum="speaker=9")):
        with pytest.raises(MissingRowsError):
            report.write(rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_codec_and_corpus_gets_its_table(rows, tmp_path):
    more = [*rows, *sweep_rows("greedy / 2", unquantized=False)]
    both = [*more, *(row._replace(corpus="iemocap") for row in more)]
    names = {path.name for path in EmotionTable("recall").write(both, tmp_path) if path.suffix == ".md"}
    assert names == {f"recall_table_{c}_{k}.md" for c in ("esd", "greedy-2") for k in ("esd", "iemocap")}


def test_undefined_figures_are_dashes(tmp_path):
    rows = [make_row("a", 0.0, "sad", "recall", math.nan, n=0), make_row("a", 0.0, "happy", "recall", 0.5)]
    EmotionTable("recall").write(rows, tmp_path)
    body = markdown_table((tmp_path / "recall_table.md").read_text())
    assert body[2] == ["0", "\u2013", r"50.0 \[46.0, 54.0\]"]


def test_cross_matrix_frames_the_codebooks_own_emotion(biased_rows, tmp_path):
    (artifact,) = CrossMatrix("attraction/", lmbda=100.0).draw_rows(biased_rows)
    values = {(row.codec, row.emotion): row for row in artifact.rows}
    assert len(values) == 25
    assert {row.metric for row in artifact.rows if row.codec == "ecvq_sad"} == {"attraction/sad"}
    bold = [text.get_text() for text in artifact.figure.axes[0].texts if text.get_weight() == "bold"]
    assert bold == [f"{values[f'ecvq_{e}', e].value:.1f}".replace("-0.0", "0.0") for e in EMOTIONS]
    with pytest.raises(MissingRowsError, match=r"λ 7.*common to all: 0, 10, 100"):
        CrossMatrix("recall", lmbda=7.0).write(biased_rows, tmp_path)
    with pytest.raises(MissingRowsError, match=r"plain was trained on .*give each codec's by `codebooks`"):
        CrossMatrix("attraction/").write(sweep_rows("plain"), tmp_path)
    named = CrossMatrix("attraction/", codebooks={"plain": "sad"}).draw_rows(sweep_rows("plain"))
    assert {row.metric for row in named[0].rows} == {"attraction/sad"}


def test_confusions_add_up_and_other_classes_are_pooled(rows, tmp_path):
    (artifact,) = ConfusionMatrices([math.nan, 10.0]).draw_rows(rows)
    ConfusionMatrices([math.nan, 10.0]).write(rows, tmp_path)
    assert "NaN" not in (tmp_path / "captions.json").read_text()
    left, right = artifact.figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["before quantization", "λ = 10"]
    assert left.get_xlabel() == "predicted, %"
    numbers = [int(text.get_text()) for text in left.texts if text.get_text() != "true"]
    assert len(numbers) == 5 * 6
    assert all(numbers[i * 6 + i] == 90 and numbers[i * 6 + 5] == 10 for i in range(5))
    assert len(artifact.rows) == 2 * 5 * 7
    with pytest.raises(MissingRowsError, match=r"evaluated were 0, 0\.0001, 0\.1, 1, 10, 100, 500"):
        ConfusionMatrices([3.0]).write(rows, tmp_path)


def test_confusions_choose_points_where_something_happens(rows):
    (artifact,) = ConfusionMatrices().draw_rows(rows)
    titles = [axes.get_title() for axes in artifact.figure.axes if axes.get_visible()]
    assert titles[:2] == ["before quantization", "λ = 0"]
    assert titles[-1] == "λ = 500"
    assert "λ = 0.0001" not in titles
    assert "λ = 10" in titles
