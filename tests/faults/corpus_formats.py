"""Formats of corpora as others keep them: EmoBox's lines of JSON, MELD's tables, folders of the library `datasets`."""

import shutil

from fake.corpora import fake_datasets_folder, fake_emobox, fake_meld, fake_parquet
from format_table import reads

from emoquant.data import MELD, DatasetsFolder, EmoBox


def emobox(path):
    root = path.parents[3] if path.suffix == ".jsonl" else path.parents[2]
    return EmoBox("iemocap", metadata=str(root / "data"), root=str(root)).utterances()


def parquet(path):
    root = path.parents[1]
    shutil.rmtree(root.parent / "cache", ignore_errors=True)
    corpus = DatasetsFolder(str(root), cache_dir=str(root.parent / "cache"), splits={"train": "train"})
    corpus.prepare()
    return corpus.utterances()


@reads("fold of EmoBox", "text", emobox)
def _(folder):
    return fake_emobox(folder) / "data/iemocap/fold_1/iemocap_train_fold_1.jsonl"


@reads("label_map.json of EmoBox", "json", emobox)
def _(folder):
    return fake_emobox(folder) / "data/iemocap/label_map.json"


@reads("table of MELD", "csv", lambda path: MELD(str(path.parent)).utterances())
def _(folder):
    return fake_meld(folder) / "dev_sent_emo.csv"


@reads("metadata.csv of a dataset", "csv", lambda path: DatasetsFolder(str(path.parents[1])).utterances())
def _(folder):
    return fake_datasets_folder(folder / "there") / "test/metadata.csv"


@reads("Parquet file of a dataset", "binary", parquet)
def _(folder):
    return fake_parquet(folder / "there", splits=("train",)) / "data/train-00000-of-00001.parquet"
