"""The table of what public encoders have heard."""

from emoquant.encoders.heard import KNOWN, how_heard
from emoquant.storage.shipped import ROOT


def test_what_matters_most_counts():
    assert how_heard("iic/emotion2vec_plus_seed", "iemocap") == "labels"
    assert how_heard("iic/emotion2vec_base", "nemo+IEMOCAP") == "audio"
    assert how_heard("iic/emotion2vec_base", "ravdess") is None
    assert how_heard("checkpoints/emotion2vec-tiny/", "ravdess") == "labels"
    assert how_heard("audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim@6", "msp_podcast") == "labels"
    assert how_heard("checkpoints/speaker-lstm", "ravdess") is None


def test_the_page_names_every_model():
    page = (ROOT / "docs/corpora.md").read_text()
    assert not [name for name in KNOWN if name not in page]
