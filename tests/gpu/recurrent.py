"""The cell of an LSTM that CUDA has as one kernel, of operations that a CPU has (Hochreiter and Schmidhuber 1997)."""

import torch


def cell(inputs, hidden, state, input_bias=None, hidden_bias=None):
    """Return output, state and the gates that the backward pass reads, as ``_thnn_fused_lstm_cell`` does."""
    total = inputs + hidden
    for bias in (input_bias, hidden_bias):
        total = total if bias is None else total + bias
    into, forget, new, out = total.chunk(4, 1)
    into, forget, new, out = into.sigmoid(), forget.sigmoid(), new.tanh(), out.sigmoid()
    following = forget * state + into * new
    return out * following.tanh(), following, torch.cat([into, forget, new, out], 1)


def cell_backward(output, state, before, after, gates, has_bias):
    """Return gradients of gates, state and bias, as ``_thnn_fused_lstm_cell_backward_impl`` does."""
    into, forget, new, out = gates.chunk(4, 1)
    size = after.tanh()
    output = torch.zeros_like(after) if output is None else output
    state = output * out * (1 - size.square()) + (0 if state is None else state)
    parts = (state * new * into * (1 - into), state * before * forget * (1 - forget), state * into * (1 - new.square()),
             output * size * out * (1 - out))  # fmt: skip
    total = torch.cat(parts, 1)
    return total, state * forget, total.sum(0) if has_bias else None


KERNELS = {"_thnn_fused_lstm_cell": cell, "_thnn_fused_lstm_cell_backward_impl": cell_backward}
