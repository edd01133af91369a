"""The forward pass of an emotion2vec network over a padded batch, such that padding changes nothing.

funasr's own class knows a padding mask, but its positional convolutions read past the end of an utterance. Here the
same modules with the same weights are run in the same order, with the padded frames zeroed before each of those
convolutions (which is what the zero padding of a single utterance does) and left out of the attention.
"""

import ast
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.encoders.architecture import Network, alibi_slopes
from emoquant.types import length_mask

#: Convolutions in front of the network at most.
_MOST_LAYERS = 64


def front_end_layers(spec: str) -> list[tuple[int, int, int]]:
    """Return the convolutions of a ``feature_encoder_spec`` as (channels, kernel, stride).

    Example:
        >>> front_end_layers("[(512, 10, 5)] + [(512, 3, 2)] * 2")
        [(512, 10, 5), (512, 3, 2), (512, 3, 2)]
    """
    if not isinstance(spec, str) or len(spec) > 1000:
        raise ValueError(f"feature_encoder_spec is {str(spec)[:80]!r}, expected a list of (channels, kernel, stride)")
    try:
        layers = [(int(c), int(k), int(s)) for c, k, s in _evaluate(ast.parse(spec, mode="eval").body)]
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(
            f"feature_encoder_spec is {spec!r}, expected a list of (channels, kernel, stride): {error}"
        ) from error
    if not 1 <= len(layers) <= _MOST_LAYERS or not all(1 <= number <= 2**16 for layer in layers for number in layer):
        raise ValueError(f"feature_encoder_spec is {spec!r}: expected 1 to {_MOST_LAYERS} layers of sizes from 1")
    return layers


def _evaluate(node: ast.expr) -> Any:  # noqa: ANN401 - a list of tuples or a number
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _evaluate(node.left) + _evaluate(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if max((each for each in (left, right) if isinstance(each, int)), default=0) > _MOST_LAYERS:
            raise ValueError(f"more than {_MOST_LAYERS} layers")
        return left * right
    return ast.literal_eval(node)


def hop_and_field(spec: str) -> tuple[int, int]:
    """Return hop and receptive field of the front end, in samples.

    Example:
        >>> hop_and_field("[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2")
        (320, 400)
    """
    hop, field = 1, 1
    for _, kernel, stride in front_end_layers(spec):
        field += (kernel - 1) * hop
        hop *= stride
    return hop, field


def count_frames(lengths: Tensor, spec: str) -> Tensor:
    """Return the frames that waveforms of these lengths (samples) give; 0 if too short."""
    for _, kernel, stride in front_end_layers(spec):
        lengths = torch.div(lengths - kernel, stride, rounding_mode="floor") + 1
    return lengths.clamp_min(0)


def normalize_waveforms(waveforms: Tensor, lengths: Tensor) -> Tensor:
    """Return waveforms of mean 0 and variance 1 over their own samples, zeros past the end.

    Args:
        waveforms: ``(B, N)``; what lies past an utterance's length is ignored.
        lengths: Samples of each utterance, ``(B,)``, at least 1.
    """
    inside = length_mask(lengths, waveforms.shape[1])
    samples = waveforms.float().masked_fill(~inside, 0.0)
    count = lengths[:, None].to(samples.dtype)
    centred = (samples - samples.sum(1, keepdim=True) / count).masked_fill(~inside, 0.0)
    variance = centred.square().sum(1, keepdim=True) / count
    return centred * torch.rsqrt(variance + 1e-5)


def local_features(network: Network, waveforms: Tensor) -> Tensor:
    """Return what the convolutions over the samples make of waveforms ``(B, N)``: ``(B, T, D)``."""
    return network.modality_encoders["AUDIO"].local_features(waveforms)


def context_features(network: Network, local: Tensor, lengths: Tensor) -> Tensor:
    """Return the frame features of local features.

    Args:
        network: funasr's ``Emotion2vec``.
        local: Output of :func:`local_features`, ``(B, T, D)``.
        lengths: Frames of each utterance, ``(B,)``.

    Returns:
        Features ``(B, T, D)`` float32, zeros past the end of an utterance.
    """
    audio = network.modality_encoders["AUDIO"]
    heard = length_mask(lengths, local.shape[1])
    inside = heard.unsqueeze(-1)
    x = local * inside
    x = x + _positions(audio.relative_positional_encoder, x, inside)
    extra = 0 if audio.extra_tokens is None else audio.extra_tokens.shape[1]
    if extra:
        x = torch.cat([audio.extra_tokens.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
    bias = _attention_bias(network, ~heard, extra)
    encoder = audio.context_encoder
    if encoder.norm is not None and not encoder.layer_norm_first:
        x = encoder.norm(x)
    x = encoder.dropout(x)
    for i, block in enumerate(encoder.blocks):
        x = _block(block, x, bias(i))
    if encoder.norm is not None and encoder.layer_norm_first:
        x = encoder.norm(x)
    for i, block in enumerate(network.blocks, start=len(encoder.blocks)):
        x = _block(block, x, bias(i))
    if network.norm is not None:
        x = network.norm(x)
    return (x[:, extra:] * inside).float()


def _positions(encoder: Network, x: Tensor, inside: Tensor) -> Tensor:
    """Run the positional convolutions with the padded frames zeroed before each."""
    for layer in encoder:
        if isinstance(layer, nn.Sequential) and isinstance(layer[0], nn.Conv1d):
            x = layer((x * inside).transpose(1, 2)).transpose(1, 2)
        elif isinstance(layer, nn.Sequential):  # the positional convolutions behind a layer norm of their own
            x = _positions(layer, x, inside)
        elif isinstance(layer, nn.LayerNorm):
            x = layer(x)
    return x


def _attention_bias(network: Network, padded: Tensor, extra: int) -> Callable[[int], Tensor]:
    """Return the attention bias of block ``i``: ALiBi between frames, none to extra tokens, -inf to padding."""
    audio = network.modality_encoders["AUDIO"]
    blocked = nn.functional.pad(padded, (extra, 0))[:, None, None, :]
    blank = torch.zeros(1, 1, 1, 1, device=padded.device).masked_fill(blocked, float("-inf"))
    if audio.get_alibi_bias is None:
        return lambda _: blank
    frames = torch.arange(padded.shape[1], device=padded.device)
    distance = (frames[None] - frames[:, None]).abs().neg().float()
    if audio.modality_cfg.get("learned_alibi", False):
        raise ValueError("a model with a learned ALiBi matrix (learned_alibi: true) is not supported")
    slopes = torch.tensor(alibi_slopes(audio.modality_cfg.num_alibi_heads), device=padded.device)
    slope_bias = nn.functional.pad(slopes[:, None, None] * distance, (extra, 0, extra, 0))
    scales = None if audio.alibi_scale is None else audio.alibi_scale.clamp_min(0)

    def bias(i: int) -> Tensor:
        if scales is None:
            return (slope_bias + blank).contiguous()
        return slope_bias * scales[i if len(scales) > 1 else 0] + blank

    return bias


def _block(block: Network, x: Tensor, bias: Tensor) -> Tensor:
    if block.layer_norm_first:
        x = x + block.drop_path(_attention(block.attn, block.norm1(x), bias))
        hidden = block.mlp(block.norm2(x))
        return hidden + block.drop_path(block.post_mlp_dropout(hidden))
    x = block.norm1(x + block.drop_path(_attention(block.attn, x, bias)))
    return block.norm2(x + block.drop_path(block.post_mlp_dropout(block.mlp(x))))


def _attention(attention: Network, x: Tensor, bias: Tensor) -> Tensor:
    if attention.cosine_attention:
        raise ValueError("a model with cosine attention is not supported")
    size, steps, dim = x.shape
    heads = attention.num_heads
    query, key, value = attention.qkv(x).reshape(size, steps, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    dropout = attention.attn_drop.p if attention.training else 0.0
    if bias.shape[1] not in (1, heads):  # fewer heads with a bias than heads
        bias = torch.cat([bias, bias.new_zeros(len(bias), heads - bias.shape[1], steps, steps)], dim=1)
    if torch.is_grad_enabled() and x.device.type == "cpu":  # whose fused attention has a slow backward pass
        with torch.autocast("cpu", enabled=False):
            weights = (query.float() * attention.scale) @ key.float().transpose(-1, -2) + bias
            mixed = nn.functional.dropout(weights.softmax(-1), dropout) @ value.float()
    else:
        mixed = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype), dropout_p=dropout, scale=attention.scale
        )
    return attention.proj_drop(attention.proj(mixed.transpose(1, 2).reshape(size, steps, dim)))
