import math

import pytest

import emoquant
from emoquant.storage.results import Row, write_results

ROWS = [
    Row("esd", "happy", 1.0, "angry", "recall", 0.5, 0.4, 0.6, 10),
    Row("esd", "none", math.nan, "angry", "recall", 0.75, math.nan, math.nan, 10, "speaker=a", "speakers", 3),
]


def test_figures_are_a_table_with_what_their_codecs_learned(tmp_path):
    folder = tmp_path / "lambda_sweep" / "version_2"
    write_results(folder / "results.csv", ROWS)
    header = "codec,checkpoint,sha256,corpus,utterances,phase,epoch,epochs,emotions,seed,encoder\n"
    (folder / "codecs.csv").write_text(f'{header}happy,a.ckpt,00,esd,9,search,8,8,"happy=0.5,sad=0.5",1,tiny\n')
    for path in (folder.parent, folder, folder / "results.csv"):
        frame = emoquant.read_results(path)
        assert list(frame["value"]) == [0.5, 0.75]
        assert list(frame["trained_on_emotions"]) == ["happy=0.5,sad=0.5", ""]
        assert list(frame["encoder"]) == ["tiny", ""]
        assert frame["n"].dtype.kind == "i"
        assert list(frame.query("metric == 'recall' and stratum == 'all'")["codec"]) == ["happy"]


def test_results_without_a_list_of_codecs(tmp_path):
    write_results(tmp_path / "results.csv", ROWS)
    assert set(emoquant.read_results(tmp_path)["seed"]) == {""}


def test_missing_results_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results at"):
        emoquant.read_results(tmp_path)
