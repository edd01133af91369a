"""Checkpoints and folders of runs that somebody sends: larger than they are, not finite, with code or paths in them."""

import json
import math
import sys

import pytest
import torch
import yaml
from bad_world import UNREADABLE, codec, results_of
from cases import case
from model_formats import model, voice
from public_weights import HIFIGAN

from emoquant.codecs import load_codec
from emoquant.codecs.checkpoint import SECTION
from emoquant.commands.reports import reports
from emoquant.encoders import Emotion2Vec
from emoquant.reports import StudyPage
from emoquant.reports.output import read_index
from emoquant.reports.pages import Section, study_page
from emoquant.reports.redraw import configured_reports
from emoquant.storage.results import read_results
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.voice import load_voice

LARGER = "larger than its file"
LARGER_CODEC = LARGER


def described(folder, part, **init):
    """Return a codec whose description says other sizes than its weights have."""
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION][part]["init"] |= init
    torch.save(content, folder / "c.ckpt")
    return folder / "c.ckpt"


@case("Checkpoints", "a small codec that says it has 10^9 dimensions", ValueError, LARGER_CODEC, "c.ckpt")
def _(folder):
    load_codec(described(folder, "quantizer", dim=10**9))


@case("Checkpoints", "a small codec that says it has 32,767 x 20,000 codewords", ValueError, LARGER_CODEC, "c.ckpt")
def _(folder):
    load_codec(described(folder, "quantizer", codewords=32_767, dim=20_000))


@case("Checkpoints", "a small codec whose entropy model says it has 10^8 knots", ValueError, LARGER_CODEC, "c.ckpt")
def _(folder):
    load_codec(described(folder, "entropy", knots=10**8))


@case("Checkpoints", "a codec whose sizes are no numbers", ValueError, "describes GroupedResidualVQ wrongly", "c.ckpt")
def _(folder):
    load_codec(described(folder, "quantizer", dim="many"))


@case("Checkpoints", "a codec with codebooks that are NaN", ValueError, "holds NaN or infinity", "c.ckpt")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    name = next(key for key, value in content["state_dict"].items() if "vectors" in key and value.is_floating_point())
    content["state_dict"][name][..., 0] = math.nan
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec with a weight that is infinite", ValueError, "holds NaN or infinity", "c.ckpt")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    name = next(
        key for key, value in content["state_dict"].items() if key.startswith("entropy") and value.is_floating_point()
    )
    content["state_dict"][name].view(-1)[0] = math.inf
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec with a number for the name of a weight", None, "the weight is passed over")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content["state_dict"][3] = torch.ones(1)
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


def voice_with(folder, **values):
    path = voice(folder) / "voice.json"
    content = json.loads(path.read_text())
    for name, value in values.items():
        place = content["architecture"] if name in content["architecture"] else content
        place[name] = value
    path.write_text(json.dumps(content))
    return folder


@case("Checkpoints", "a voice that says it has a million layers", ValueError, LARGER)
def _(folder):
    load_voice(voice_with(folder, encoder_layers=10**6))


@case("Checkpoints", "a voice with sizes that are no sizes", ValueError, "describes a voice wrongly", "voice.json")
def _(folder):
    for values in ({"emotion_dim": "x"}, {"emotion_dim": -3}, {"phones": 5}, {"speakers": None}, {"f0_deviation": []}):
        with pytest.raises(ValueError, match=r"voice\.json describes a voice wrongly"):
            load_voice(voice_with(folder, **values))
    load_voice(voice_with(folder, f0_mean=None))


@case("Checkpoints", "a small public vocoder that says it has 10^7 channels", ValueError, LARGER, "config.json")
def _(folder):
    torch.save({"generator": {"conv_pre.weight": torch.ones(3)}}, folder / "g_00000001")
    (folder / "config.json").write_text(json.dumps(HIFIGAN["V1"] | {"upsample_initial_channel": 10**7}))
    load_vocoder(folder)


def encoder_with(folder, **values):
    path = model(folder) / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["model_conf"]["modalities"]["audio"] |= values
    path.write_text(yaml.safe_dump(content))
    return str(folder)


@case(
    "Checkpoints",
    "an encoder whose front end is code",
    ValueError,
    "expected a list of (channels",
    "config.yaml",
)
def _(folder):
    Emotion2Vec(
        encoder_with(folder, feature_encoder_spec=f"[(1, 1, 1)] if open('{folder / 'ran'}', 'w') else []")
    ).load()


@case("Checkpoints", "an encoder with a front end of 10^9 layers", ValueError, "more than 64 layers", "config.yaml")
def _(folder):
    Emotion2Vec(encoder_with(folder, feature_encoder_spec="[(16, 3, 2)] * 1000000000")).load()


@case("Checkpoints", "an encoder that refers to the environment", ValueError, "refers to other values", "config.yaml")
def _(folder):
    Emotion2Vec(encoder_with(folder, start_drop_path_rate="${oc.env:HOME}")).load()


def run_with(folder, *reports):
    """Return a run whose configuration lists these reports."""
    run = results_of(folder / "run", ["x"])
    content = [{"class_path": "ResultsWriter", "init_args": {"reports": list(reports)}}]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    return run


@case("Runs", "a run whose configuration names code beside it", ValueError, "expected a class of emoquant", "evil")
def _(folder):
    run = run_with(folder, {"class_path": "run.evil.X"})
    (run / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    sys.path.insert(0, str(folder))
    try:
        configured_reports(run / "config.yaml")
    finally:
        sys.path.remove(str(folder))


@case("Runs", "a run whose configuration adds code beside it to a page", ValueError, "expected plain names", "reports+")
def _(folder):
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    sys.path.insert(0, str(folder))
    evil = {"class_path": "evil.X"}
    more = {"class_path": "StudyPage", "dict_kwargs": {"reports": [evil]}}
    try:
        with pytest.raises(ValueError, match="and no more"):
            configured_reports(run_with(folder, more) / "config.yaml")
        added = {"class_path": "StudyPage", "init_args": {"reports+": [evil]}}
        configured_reports(run_with(folder, added) / "config.yaml")
    finally:
        sys.path.remove(str(folder))
        assert not (folder / "ran").exists()


@case(
    "Runs",
    "a run whose configuration names other classes",
    ValueError,
    "expected a class of emoquant.reports",
    "pathlib.Path",
)
def _(folder):
    for name in ("emoquant.reports.redraw.Report", "emoquant.codecs.ECVQ", "os.system", "Report.write", "pathlib.Path"):
        with pytest.raises(ValueError, match="expected a class"):
            configured_reports(run_with(folder, {"class_path": name}) / "config.yaml")
    configured_reports(run_with(folder, {"class_path": "pathlib.Path"}) / "config.yaml")


@case("Runs", "a report of a run that writes elsewhere", ValueError, "plain file name without folders", "../../planted")
def _(folder):
    configured_reports(
        run_with(folder, {"class_path": "StudyPage", "init_args": {"name": "../../planted"}}) / "config.yaml"
    )


@case("Runs", "a page of a run that shows a file from elsewhere", ValueError, "without folders", "/etc/passwd")
def _(folder):
    configured_reports(
        run_with(folder, {"class_path": "StudyPage", "init_args": {"config": "/etc/passwd"}}) / "config.yaml"
    )


@case("Runs", "a table of a run that reads figures from elsewhere", ValueError, "lie outside of the run", "secret.csv")
def _(folder):
    (folder / "secret.csv").write_text("lambda,sad\n1,2\n")
    table = {"class_path": "EmotionTable", "init_args": {"reference": str(folder / "secret.csv")}}
    page = {"class_path": "StudyPage", "init_args": {"reports": [table]}}
    configured_reports(run_with(folder, page) / "config.yaml")


@case("Runs", "a run whose folder of reports is a link to elsewhere", None, "an error; nothing is written there")
def _(folder):
    run = results_of(folder / "run", ["x"])
    (folder / "elsewhere").mkdir()
    (run / "reports").symlink_to(folder / "elsewhere")
    with pytest.raises(ValueError, match="leads out of the run by a link"):
        reports([run], default=True)
    assert not list((folder / "elsewhere").iterdir())


@case("Runs", "a run whose configuration is a link to a file from elsewhere", ValueError, "is a link", "config.yaml")
def _(folder):
    run = results_of(folder / "run", ["x"])
    (folder / "secret").write_text("password: hunter2\n")
    (run / "config.yaml").symlink_to(folder / "secret")
    StudyPage(reports=[]).write(read_results(run / "results.csv"), run / "reports")


@case("Runs", "captions.json that lists files from elsewhere", ValueError, "lists what no report", "captions.json")
def _(folder):
    (folder / "secret.svg").write_text("<svg>secret</svg>")
    (folder / "reports").mkdir()
    entry = {name: "x" for name in ("stem", "title", "caption", "alt", "results")}
    index = {"artifacts": [{**entry, "files": ["../secret.svg"], "report": {}}]}
    (folder / "reports" / "captions.json").write_text(json.dumps(index))
    read_index(folder / "reports")


@case("Runs", "captions.json that lists a link to elsewhere", ValueError, "leads out of", "captions.json")
def _(folder):
    (folder / "secret.svg").write_text("<svg>secret</svg>")
    (folder / "reports").mkdir()
    (folder / "reports" / "x.svg").symlink_to(folder / "secret.svg")
    entry = {name: "x" for name in ("stem", "title", "caption", "alt", "results")}
    index = {"artifacts": [{**entry, "files": ["x.svg"], "report": {}}]}
    (folder / "reports" / "captions.json").write_text(json.dumps(index))
    study_page("t", [Section("s", folder / "reports", [], "")])


@case(
    "Runs",
    "a configuration of 400 bytes that stands for 9^9 values",
    ValueError,
    "its references stand for",
    "config.yaml",
)
def _(folder):
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (folder / "config.yaml").write_text("\n".join(lines))
    configured_reports(folder / "config.yaml")


@case("Runs", "a configuration that holds itself", ValueError, "it holds itself", "config.yaml")
def _(folder):
    (folder / "config.yaml").write_text("&a [*a]")
    configured_reports(folder / "config.yaml")


@case("Checkpoints", "a file of a model that says it spans several disks", ValueError, UNREADABLE, "c.ckpt")
def _(folder):
    path = codec(folder / "c.ckpt")
    mark = b"PK\x06\x07" + b"\0" * 12 + b"\x02\0\0\0"  # the place of a zip64 record, on two disks
    data = path.read_bytes()
    at = data.rindex(b"PK\x05\x06")
    path.write_bytes(data[:at] + mark + data[at:])
    for load in (load_codec, load_vocoder):
        with pytest.raises(ValueError, match=r"c\.ckpt"):
            load(path)
    load_vocoder(path)
