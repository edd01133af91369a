"""The border between tasks and data: what fits is handed over as it is, what does not is named in one error."""

from types import SimpleNamespace

import pytest
from lightning.pytorch import LightningDataModule, Trainer
from plain_data import PlainData
from tiny_world import TinyData
from voice_data import VoiceData

from emoquant.data import AudioDataModule, EmotionDataModule
from emoquant.entropy import FactorizedModel
from emoquant.interfaces import access as data_api
from emoquant.interfaces.access import (
    DataModuleError,
    audio_data_of,
    data_of,
    frames_of,
    labelled_data_of,
    labelled_frames_of,
    voice_data_of,
)
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodecTask
from emoquant.types import AudioBatch, Batch, TTSBatch
from emoquant.voice.data import TTSDataModule

KINDS = {
    EmotionDataModule: (data_api.EmotionData, Batch),
    AudioDataModule: (data_api.AudioData, AudioBatch),
    TTSDataModule: (data_api.SpokenData, TTSBatch),
}


def run_on(data):
    return SimpleNamespace(datamodule=data)


def test_a_data_module_of_ones_own_is_handed_over_as_it_is():
    data, speech = TinyData(), VoiceData()
    assert data_of(run_on(data)) is data
    assert voice_data_of(run_on(speech)) is speech
    assert labelled_data_of(run_on(data)) is data


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_projects_own_offer_every_method_that_is_asked_for(kind):
    asked, batch_type = KINDS[kind]
    methods = [name for name in data_api._members(asked) if callable(getattr(asked, name, None))]
    assert {"dataset", "reference_dataloader"} <= set(methods)
    assert all(callable(getattr(kind, name)) for name in methods)
    assert kind.batch_type is batch_type


def test_codecs_are_trained_on_whatever_has_frames_and_remember_what_it_tells(tmp_path):
    class Frames(LightningDataModule):
        dim, name, emotions, origin = 12, "frames", ["angry"], None
        train_dataloader = TinyData.train_dataloader

    with pytest.raises(DataModuleError, match=r"Frames has no batch_type, budget, dataset, .*training_shares"):
        data_of(run_on(Frames()))
    run = run_on(Frames())
    assert frames_of(run) is run.datamodule
    assert labelled_frames_of(run) is None
    assert labelled_frames_of(run_on(data := TinyData())) is data
    with pytest.raises(DataModuleError, match="VoiceData yields TTSBatch where Batch is needed"):
        frames_of(run_on(VoiceData()))


@pytest.mark.parametrize("look", [data_of, frames_of, audio_data_of, voice_data_of, labelled_data_of])
def test_a_run_without_a_data_module_says_so(look):
    with pytest.raises(DataModuleError, match=r"no data module: give it a.* as --data"):
        look(run_on(None))


def test_other_batches_are_named():
    with pytest.raises(DataModuleError, match="VoiceData yields TTSBatch where Batch is needed: use an EmotionDataM"):
        data_of(run_on(VoiceData()))
    with pytest.raises(DataModuleError, match="TinyData yields Batch where AudioBatch is needed: use an AudioDataModu"):
        audio_data_of(run_on(TinyData()))
    with pytest.raises(DataModuleError, match="TinyData yields Batch where TTSBatch is needed: use a TTSDataModule"):
        voice_data_of(run_on(TinyData()))


def test_what_is_missing_is_named_without_computing_what_is_there():
    class Expensive(PlainData):
        @property
        def origin(self):
            raise AssertionError("computed")

    assert data_of(run_on(Expensive())).dim == 1
    with pytest.raises(DataModuleError, match=r"LightningDataModule has no batch_type, budget, dataset, .*: use any"):
        labelled_data_of(run_on(LightningDataModule()))


def test_a_codec_is_not_trained_on_speech(tmp_path):
    task = CodecTask(GroupedResidualVQ(2, 1, 4), FactorizedModel())
    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                      enable_progress_bar=False, default_root_dir=tmp_path)  # fmt: skip
    with pytest.raises(DataModuleError, match="VoiceData yields TTSBatch where Batch is needed"):
        trainer.fit(task, datamodule=VoiceData())
