"""Small models of transformers with random weights, saved by transformers itself."""

from pathlib import Path

import torch

from emoquant.audio._torchaudio import ensure_torchaudio

ensure_torchaudio()

_SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_CONVOLUTIONS = {
    "conv_dim": (8,) * 7,
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_length": 2,
}
#: Family -> class of the configuration, and what is said of it beside the sizes.
_SAMPLES = {
    "wavlm": ("WavLMConfig", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "wavlm-group": ("WavLMConfig", {"feat_extract_norm": "group"}),
    "hubert": ("HubertConfig", {"feat_extract_norm": "layer"}),
    "wav2vec2": ("Wav2Vec2Config", {"feat_extract_norm": "group"}),
    "data2vec-audio": ("Data2VecAudioConfig", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 7}),
    "unispeech-sat": ("UniSpeechSatConfig", {"feat_extract_norm": "layer"}),
}
ENCODERS = (*_SAMPLES, "wav2vec2-bert", "whisper")


def save_encoder(family: str, folder: Path, kind: str = "AutoModel", **changes) -> Path:
    """Save a speech model of a family with its feature extractor, and return its folder."""
    import transformers

    torch.manual_seed(0)
    if family == "whisper":
        settings = transformers.WhisperConfig(
            d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=24, decoder_ffn_dim=24, vocab_size=20, num_mel_bins=16, max_source_positions=1500,
            max_target_positions=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        )  # fmt: skip
        extractor = transformers.WhisperFeatureExtractor(feature_size=16)
    elif family == "wav2vec2-bert":
        settings = transformers.Wav2Vec2BertConfig(
            **_SIZES, feature_projection_input_dim=160, conv_depthwise_kernel_size=5, left_max_position_embeddings=8,
            right_max_position_embeddings=8,
        )  # fmt: skip
        extractor = transformers.SeamlessM4TFeatureExtractor()
    else:
        name, more = _SAMPLES[family]
        settings = getattr(transformers, name)(**{**_SIZES, **_CONVOLUTIONS, **more, **changes})
        normal = more.get("feat_extract_norm") != "group"
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=normal)
    model = getattr(transformers, kind).from_config(settings)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def _dac(transformers, rate=16_000, hop=(2, 4, 5, 8)):
    return transformers.DacConfig(
        encoder_hidden_size=4, downsampling_ratios=list(hop), decoder_hidden_size=32, n_codebooks=3, codebook_size=16,
        codebook_dim=4, sampling_rate=rate,
    )  # fmt: skip


def _semantic(transformers):
    return transformers.HubertConfig(**{**_SIZES, **_CONVOLUTIONS, "feat_extract_norm": "group"})


def _bert(transformers):
    return transformers.Wav2Vec2BertConfig(
        **_SIZES, feature_projection_input_dim=160, conv_depthwise_kernel_size=5, left_max_position_embeddings=8,
        right_max_position_embeddings=8, add_adapter=False,
    )  # fmt: skip


def save_codec(family: str, folder: Path) -> Path:
    """Save an audio codec of a family, and return its folder."""
    import transformers

    torch.manual_seed(0)
    if family == "encodec":
        settings = transformers.EncodecConfig(
            hidden_size=8, num_filters=4, codebook_size=16, codebook_dim=8, num_lstm_layers=1,
            target_bandwidths=[0.3, 0.6, 1.2],
        )  # fmt: skip
    elif family == "dac":
        settings = _dac(transformers)
    elif family == "mimi":
        settings = transformers.MimiConfig(
            hidden_size=16, num_filters=4, codebook_size=16, codebook_dim=8, num_quantizers=4, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, intermediate_size=16, upsample_groups=16,
            vector_quantization_hidden_dimension=8, sliding_window=8, head_dim=8,
        )  # fmt: skip
    elif family == "xcodec":
        settings = transformers.XcodecConfig(
            acoustic_model_config=_dac(transformers), semantic_model_config=_semantic(transformers), codebook_size=16,
            target_bandwidths=[0.2, 0.4],
        )  # fmt: skip
    elif family == "higgs_audio_v2_tokenizer":
        settings = transformers.HiggsAudioV2TokenizerConfig(
            acoustic_model_config=_dac(transformers, 24_000, (8, 5, 4, 6)), codebook_size=16, codebook_dim=8,
            semantic_model_config=_semantic(transformers), target_bandwidths=[0.1, 0.2],
        )  # fmt: skip
    else:
        name = {"xcodec2": "Xcodec2Config", "neucodec": "NeuCodecConfig"}[family]
        settings = getattr(transformers, name)(
            **{**_SIZES, "hidden_size": 32, "num_hidden_layers": 1}, num_key_value_heads=2, head_dim=16,
            encoder_hidden_size=4,
            semantic_model_config=_bert(transformers), quantization_dim=48, quantization_levels=[4, 4, 4],
        )  # fmt: skip
        kind = {"xcodec2": "Xcodec2FeatureExtractor", "neucodec": "NeuCodecFeatureExtractor"}[family]
        getattr(transformers, kind)().save_pretrained(folder)
    model = transformers.AutoModel.from_config(settings)
    for name, buffer in model.named_buffers():
        if name.endswith(("codebook.embed", "codebook.embed_sum")):  # zeros otherwise: all codes would be alike
            buffer.copy_(0.3 * torch.randn(buffer.shape))
    if family in ("encodec", "xcodec2", "neucodec"):
        for weight in model.parameters():  # larger than transformers begins with, for the same reason
            weight.data += 0.2 * torch.randn(weight.shape)
    model.save_pretrained(folder)
    return folder
