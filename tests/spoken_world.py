"""A small rendered corpus, a stand-in for an encoder, a voice of random weights and a codec that pulls to a point."""

from dataclasses import replace

import torch
from tiny_world import PullCodec
from voice_batches import TINY

from emoquant.data.rendered import RenderedCorpus
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.voice.data import TTSDataModule
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.voice import Voice, VoiceFacts

DIM = 8


class BandEncoder(FrameEncoder):
    """Frames of 20 ms: mean levels of eight bands."""

    dim = DIM

    def forward(self, waveforms, lengths):
        counts = self.frame_lengths(lengths)
        parts = waveforms.unfold(1, 400, 320)[:, : int(counts.max())]
        window = torch.hann_window(400, device=parts.device)
        power = torch.fft.rfft(parts * window).abs().square()[..., :200].unflatten(-1, (DIM, -1)).mean(-1)
        features = (power + 1e-6).log()
        return features * (torch.arange(features.shape[1], device=counts.device) < counts[:, None])[..., None], counts

    def frame_lengths(self, lengths):
        return ((lengths - 400) // 320 + 1).clamp_min(0)

    def fingerprint(self):
        return "bands of the tests"

    def head(self):
        raise ValueError("no head")


class LoudestHead(EmotionHead):
    labels, dim = ["angry", "happy", "neutral", "sad", "surprise"], DIM

    def forward(self, vectors):
        return vectors[..., :5]


def corpus(folder, sentences=3, voices=("en-us",)):
    return RenderedCorpus(voices=voices, sentences=sentences, cache_dir=str(folder))


def speech_data(folder, **settings):
    chosen = {"encoder": BandEncoder(), "cache_dir": str(folder), **settings}
    return TTSDataModule(chosen.pop("corpora", None) or corpus(folder), **chosen)


def random_voice(data, **changes):
    torch.manual_seed(0)
    facts = VoiceFacts(
        architecture=Architecture(**TINY),
        phones=tuple(data.phones),
        front_end=data.front_end,
        mel=data.mel,
        emotion_dim=data.dim,
        speaker_dim=data.speaker_dim,
        encoder=data.encoder_name,
        emotions=tuple(data.emotions),
        speakers=tuple(data.speakers),
        f0_mean=data.f0_mean,
        f0_deviation=data.f0_std,
        postnet=False,
    )
    facts = replace(facts, **changes)
    model = facts.build()
    model.emotion.set_statistics(data.emotion_mean, data.emotion_std)
    with torch.no_grad():
        model.duration.output.bias.fill_(1.6)  # some four frames a phone
    return Voice(model.requires_grad_(False).eval(), facts, data.speaker_centroids)


def pull_codec(points=(0.0, 1.0, 9.0), name="pull"):
    return PullCodec(torch.zeros(DIM), points, name)
