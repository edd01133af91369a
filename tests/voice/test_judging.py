import pytest
import torch
from spoken_world import BandEncoder, LoudestHead, speech_data

from emoquant.voice.clips import Clip
from emoquant.voice.tasks.judging import Judge
from emoquant.voice.tasks.speaker_listening import SpeakerListener

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


def test_encoders_and_classifier_hear_on_the_tasks_device(tmp_path):
    heard = []

    class There(BandEncoder):
        def forward(self, waveforms, lengths):
            assert waveforms.device.type == lengths.device.type == "meta"
            heard.append("encoder")
            return torch.zeros(1, 2, self.dim), torch.tensor([2])

    class Classes(LoudestHead):
        def forward(self, vectors):
            assert vectors.device.type == "meta"
            heard.append("classifier")
            return torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]])

    data = speech_data(tmp_path)
    data.prepare_data()
    data.setup()
    recordings = {"en-us": [data.dataset("test").utterances[0].id]}
    speakers = SpeakerListener(There(), recordings, data, "meta")
    judge = Judge(There(), Classes(), data, speakers=speakers, device="meta")
    clip = Clip("", "synthesis", "A", "none", 0.0, "", "", "", "sad", "en-us", 0, 1.0)
    assert judge(clip, torch.randn(16_000), torch.zeros(BandEncoder.dim)).predicted == "sad"
    speakers(clip, torch.randn(16_000))
    assert heard == ["encoder", "classifier", "encoder", "encoder"]
