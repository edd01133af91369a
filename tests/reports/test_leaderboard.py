"""Codecs of several runs in one table: from results to JSON, Markdown and the site."""

import json

import pytest
from test_bitrate import rows

from emoquant.__main__ import main
from emoquant.reports.leaderboard import Entry, merged, read_leaderboard, write_leaderboard
from emoquant.site import Sources, build_site
from emoquant.storage.results import write_results

CONFIG = "data: {class_path: D, init_args: {encoder: {class_path: E, init_args: {model: a/b, layer: 6}}}}\n"


def run(folder, config=CONFIG, change=lambda row: row):
    write_results(folder / "version_0" / "results.csv", [change(row) for row in rows()])
    (folder / "version_0" / "config.yaml").write_text(config)
    return folder


def test_points_of_a_run_become_entries(tmp_path):
    out = tmp_path / "board.json"
    main(["leaderboard", str(run(tmp_path / "codecs")), "--out", str(out)])
    entries = read_leaderboard(out)
    assert [(entry.codec, entry.point) for entry in entries] == [
        ("codec", 500.0), ("codec", 5.0), ("codec", 0.0), ("lyra", 3200.0), ("lyra", 9200.0),
    ]  # fmt: skip
    lyra = entries[3]
    assert (lyra.encoder, lyra.corpus, lyra.bits_per_second, lyra.n) == ("a/b, layer 6", "esd", 3213.0, 50)
    assert lyra.agreement == pytest.approx((0.9, 0.8, 1.0))
    lines = out.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + 5
    assert lines[5].startswith(
        r"| esd | a/b, layer 6 | lyra | 3200 | 3213 | 90.0 \[80.0, 100.0\] | 70.0 \[60.0, 80.0\] | 50 |"
    )


def test_a_run_that_is_measured_again_takes_its_old_place(tmp_path):
    out = tmp_path / "board.json"
    main(["leaderboard", str(run(tmp_path / "codecs")), "--out", str(out)])
    again = run(tmp_path / "again", change=lambda row: row._replace(n=70))
    main(["leaderboard", str(again), "--out", str(out)])
    assert [entry.n for entry in read_leaderboard(out)] == [70] * 5
    other = run(tmp_path / "other", "data: {}\n")
    main(["leaderboard", str(other), "--out", str(out)])
    assert {entry.encoder for entry in read_leaderboard(out)} == {"a/b, layer 6", "checkpoints/emotion2vec-tiny"}
    one = Entry("c", "e", "x", 1.0, 2.0, (0.1, 0.0, 1.0), (0.1, 0.0, 1.0), 3, "d")
    assert merged([one], [one._replace(point=2.0)]) == [one, one._replace(point=2.0)]


def test_the_site_shows_it(tmp_path):
    out = tmp_path / "board.json"
    main(["leaderboard", str(run(tmp_path / "codecs")), "--out", str(out)])
    build_site(tmp_path / "site", Sources(leaderboard=out), "T")
    page = (tmp_path / "site" / "leaderboard.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == 1 + 5
    assert "90.0 [80.0, 100.0]" in page
    assert json.loads((tmp_path / "site" / "data" / "leaderboard.json").read_text()) == json.loads(out.read_text())
    assert 'href="leaderboard.html"' in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_the_site_counts_names_that_differ_by_case_apart(tmp_path):
    out = tmp_path / "board.json"
    folders = [run(tmp_path / "codecs"), run(tmp_path / "again", change=lambda row: row._replace(corpus="ESD"))]
    main(["leaderboard", *map(str, folders), "--out", str(out)])
    entries = [*read_leaderboard(out), read_leaderboard(out)[0]._replace(codec="LYRA")]
    write_leaderboard(out, entries)
    page = build_site(tmp_path / "site", Sources(leaderboard=out), "board").read_text(encoding="utf-8")
    assert "11 operating points of 3 codecs on 2 corpora." in page


def test_bad_input_gives_one_error_each(tmp_path, capsys):
    def refused(text, *args):
        with pytest.raises(SystemExit):
            main(["leaderboard", *args])
        assert text in " ".join(capsys.readouterr().err.split())

    refused("no run is named")
    refused("no results.csv in", str(tmp_path / "none"))
    old = tmp_path / "old"
    write_results(old / "results.csv", [row for row in rows() if row.metric != "bits_per_second"])
    refused("no rows of bits_per_second", str(old))
    bad = tmp_path / "bad.json"
    for content in ("[]", '{"entries": [{"codec": "c"}]}', "no json"):
        bad.write_text(content)
        refused("bad.json", str(run(tmp_path / "codecs")), "--out", str(bad))
