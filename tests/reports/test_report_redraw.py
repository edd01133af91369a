import inspect
import os
import subprocess
import sys

import pytest
import yaml
from jsonargparse import ArgumentParser

import emoquant.reports
from emoquant.__main__ import main
from emoquant.reports import EmotionTable, Report, StudyPage, SweepCurves, build_report, configured_reports
from emoquant.storage.results import write_results

KINDS = [
    kind
    for name in emoquant.reports.__all__
    if inspect.isclass(kind := getattr(emoquant.reports, name))
    and issubclass(kind, Report)
    and not inspect.isabstract(kind)
]


def write_run(folder, rows, reports=None):
    write_results(folder / "results.csv", rows)
    if reports is not None:
        writer = {"class_path": "emoquant.callbacks.ResultsWriter", "init_args": {"reports": reports}}
        config = {"trainer": {"callbacks": [{"class_path": "X", "init_args": {}}, writer]}, "seed_everything": 0}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_options_are_primitives_that_rebuild_the_report(kind):
    options = yaml.safe_load(yaml.safe_dump(kind().options()))
    assert options["class_path"] == f"emoquant.reports.{kind.__name__}"
    rebuilt = build_report(options)
    assert type(rebuilt) is kind
    assert rebuilt.options() == options


def test_reports_hold_reports():
    page = StudyPage(reports=[EmotionTable("f1"), SweepCurves("recall", layout="panels")])
    rebuilt = build_report(yaml.safe_load(yaml.safe_dump(page.options())))
    assert [type(report) for report in rebuilt.reports] == [EmotionTable, SweepCurves]
    assert rebuilt.reports[1].layout == "panels"


def test_the_command_lines_yaml_is_what_redraw_reads(tmp_path):
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--reports", type=list[Report] | None)
    entries = [
        "EmotionTable",
        {"class_path": "DriftCurves", "init_args": {"targets": ["neutral", "mean"]}},
        {"class_path": "CrossMatrix", "init_args": {"metric": "attraction/", "lmbda": 100, "codebooks": {"a": "sad"}}},
        {"class_path": "emoquant.reports.ConfusionMatrices", "init_args": {"lambdas": [0, 1e-4]}},
        {
            "class_path": "StudyPage",
            "init_args": {"reports": [{"class_path": "FlowFigure", "init_args": {"kind": "ribbons"}}]},
        },
    ]
    (tmp_path / "given.yaml").write_text(yaml.safe_dump({"reports": entries}))
    parsed = parser.parse_args(["--config", str(tmp_path / "given.yaml")])
    made = parser.instantiate(parsed).reports
    saved = {"class_path": "emoquant.callbacks.ResultsWriter", "init_args": yaml.safe_load(parser.dump(parsed))}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [saved]}}))
    again = configured_reports(tmp_path / "config.yaml")
    assert [report.options() for report in again] == [report.options() for report in made]
    assert [type(report).__name__ for report in made[:2]] == ["EmotionTable", "DriftCurves"]
    assert made[4].reports[0].kind == "ribbons"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"class_path": "emoquant.reports.Nothing"}, "no report 'emoquant.reports.Nothing'"),
        ({"class_path": "pathlib.Path"}, "no report 'pathlib.Path'"),
        ({"class_path": "EmotionTable", "init_args": {"colour": "red"}}, "does not take these options.*colour"),
        ({"class_path": "RateCurves", "init_args": {"x": "lmbda"}}, "does not take these options.*'x'"),
        ({"class_path": "GreedyComparison", "init_args": {"reference": "a"}}, "does not take these options.*reference"),
        *(
            ({"class_path": name, "init_args": {"metrics": 5}}, f"{name} does not take these options.*metrics.*5")
            for name in ("BitrateCurves", "CodebookUsage", "StrataCurves", "AgreementCurves", "LayerMap")
        ),
        ({"class_path": "SweepCurves", "init_args": {"linear_below": "x"}}, "linear_below.*<class 'float'>"),
        ({"class_path": "StudyPage", "init_args": {"reports": ["planted.Report"]}}, "no report 'planted.Report'"),
        ({"class_path": "StudyPage", "init_args": {"reports": "planted.Report"}}, "expected a list"),
        ({"class_path": "EmotionTable", "init_args": 5}, "expected init_args of names with values"),
        ({"class_path": "build_report"}, "no report 'build_report'"),
        (3, "class_path and init_args, not by 3"),
    ],
)
def test_wrong_entries_are_named(entry, message):
    with pytest.raises(ValueError, match=message):
        build_report(entry)


def test_a_configuration_is_data_and_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    planted = {"class_path": "planted.Report"}
    for entry in (
        {"init_args": {"reports": ["planted.Report"]}},
        {"init_args": {"reports+": [planted]}},
        {"init_args": {"reports": [{"class_path": "StudyPage", "init_args": {"reports+": [planted]}}]}},
        {"init_args": {"reports.0": planted}},
        {"init_args": {"config": planted}},
        {"dict_kwargs": {"reports": [planted]}},
    ):
        with pytest.raises(ValueError, match=r"no report|plain names|and no more|Expected a <class 'str'>"):
            build_report({"class_path": "StudyPage", **entry})


def test_redraw_uses_the_reports_of_the_run(rows, tmp_path, capsys):
    run = write_run(
        tmp_path / "run", rows, [{"class_path": "emoquant.reports.EmotionTable", "init_args": {"metric": "f1"}}]
    )
    assert [report.name for report in configured_reports(run / "config.yaml")] == ["f1_table"]
    main(["reports", str(run)])
    assert str(run / "reports" / "f1_table.png") in capsys.readouterr().out.splitlines()
    assert not (run / "reports" / "recall_table.png").exists()


def test_redraw_falls_back_to_the_default_set(rows, tmp_path):
    run = write_run(tmp_path / "run", [row for row in rows if row.metric in ("recall", "uar")])
    main(["reports", str(run), "--out", str(tmp_path / "drawn")])
    names = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert {"recall_table.md", "recall_over_lambda.svg", "study.html"} <= names
    assert not any("similarity" in name or "drift" in name for name in names)
    assert not (run / "reports").exists()


def test_several_runs_make_one_page(rows, tmp_path):
    runs = [str(write_run(tmp_path / name, rows, ["EmotionTable"])) for name in ("one", "two")]
    main(["reports", *runs, "--out", str(tmp_path / "out"), "--page", str(tmp_path / "all.html"), "--title", "Both"])
    assert (tmp_path / "out" / "two" / "recall_table.md").is_file()
    text = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "<h2>one</h2>" in text
    assert "<h2>two</h2>" in text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "results.csv").unlink(), "no results.csv in"),
        (lambda run: (run / "results.csv").write_text("a,b\n"), "is no results file"),
        (lambda run: (run / "config.yaml").write_text("a: [1"), "is no YAML"),
        (
            lambda run: (run / "config.yaml").write_text("class_path: ResultsWriter\ninit_args: {reports: [Nope]}"),
            "'Nope'",
        ),
        (
            lambda run: (run / "config.yaml").write_text(
                "class_path: ResultsWriter\ninit_args: {reports: [AgreementCurves]}"
            ),
            "no stratum holds 'agreement'",
        ),
        (
            lambda run: (run / "config.yaml").write_text(
                "class_path: ResultsWriter\n"
                f"init_args: {{reports: [{{class_path: SweepCurves, init_args: {{reference: {run}/results.csv}}}}]}}"
            ),
            "line 2: could not convert string to float",
        ),
    ],
)
def test_errors_are_one_block(rows, tmp_path, capsys, damage, message):
    run = write_run(tmp_path / "run", rows, [])
    damage(run)
    with pytest.raises(SystemExit) as ended:
        main(["reports", str(run)])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert " ".join(error.split()).startswith(f"emoquant reports {run}: ")
    assert message in " ".join(error.split())
    assert len(error.splitlines()) <= 6


def test_redrawing_is_light_and_does_not_depend_on_the_hash_seed(rows, tmp_path):
    run = write_run(tmp_path / "run", rows, ["EmotionTable", "FlowFigure"])
    script = (
        "import sys; from emoquant.__main__ import main; main(['reports', *sys.argv[1:]]); code = 0;"
        "heavy = {'torch', 'lightning', 'torchmetrics', 'funasr', 'pandas'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", script, str(run), "--out", str(tmp_path / seed)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name
