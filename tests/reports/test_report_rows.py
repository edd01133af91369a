import math

import pytest
from synthetic_rows import EMOTIONS, LAMBDAS, make_row, sweep_rows, trained_rows

from emoquant.reports.rows import MissingRowsError, Results


def test_look_up_keeps_the_order_of_the_file_and_sorts_points():
    rows = sweep_rows("b")[::-1] + sweep_rows("a", unquantized=False)
    results = Results(rows)
    assert results.codecs("recall") == ["b", "a"]
    assert results.emotions("recall") == list(EMOTIONS[::-1])
    assert results.points("recall", "b") == list(LAMBDAS)
    assert [row.lmbda for row in results.series("recall", "a", "sad")] == list(LAMBDAS)
    assert results.targets("attraction") == list(EMOTIONS[::-1])


def test_unquantized_features_are_found_by_nan(rows):
    found = Results(rows).find("recall", "none", math.nan, "sad")
    assert found is not None
    assert found.value == 0.9
    assert Results(rows).find("recall", "none", 0.0, "sad") is None


def test_no_rows_and_double_rows_are_refused(rows):
    with pytest.raises(MissingRowsError, match="no rows"):
        Results([])
    with pytest.raises(ValueError, match="two rows of recall for none, nan, angry"):
        Results([*rows, rows[0]])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.need("warmth"), r"no rows of warmth: they hold recall, .*predicted/\.\.\."),
        (lambda r: r.codecs("recall", ["other"]), "recall of codec other: recall is there for the codecs esd, none"),
        (lambda r: r.codecs("warmth"), "no rows of warmth of codec"),
        (lambda r: r.emotions("recall", ["sad", "calm"]), "recall of emotion calm"),
        (lambda r: r.row("uar", "esd", 1.0, stratum="speaker=9"), "no uar by esd at 1 in stratum 'speaker=9'"),
    ],
)
def test_what_lacks_is_named_with_what_there_is(rows, ask, message):
    with pytest.raises(MissingRowsError, match=message):
        ask(Results(rows))


def test_strata_and_corpora_are_told_apart():
    rows = [make_row("a", 0.0, "sad", "recall", 0.5), make_row("a", 0.0, "sad", "recall", 0.25, stratum="speaker=1")]
    results = Results([*rows, rows[0]._replace(corpus="other", value=0.75)])
    assert results.corpora == ["esd", "other"]
    assert results.strata("recall") == ["speaker=1"]
    assert results.of_corpus("other").find("recall", "a", 0.0, "sad").value == 0.75
    assert results.find("recall", "a", 0.0, "sad", "speaker=1").value == 0.25


def test_the_emotion_of_a_codebook_is_what_it_was_trained_on():
    rows = [*sweep_rows("sad"), *sweep_rows("a", unquantized=False), *trained_rows("sad", "happy")]
    rows += [*sweep_rows("both", unquantized=False), *trained_rows("both", "happy", "sad")]
    results = Results(rows)
    assert [results.codebook_emotion(codec) for codec in ("sad", "a", "both", "none")] == ["happy", None, None, None]
