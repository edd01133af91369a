"""Backward passes node by node: torch's own engine needs the device that tensors only pretend to be on."""

import collections

import torch


def backward(loss, gradient=None, retain_graph=False, **_):
    """Add the gradients of a scalar to the leaves of its graph, as ``Tensor.backward`` does."""
    waiting, stack, seen = collections.Counter(), [loss.grad_fn], set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            following = [node for node, _ in node.next_functions if node is not None]
            waiting.update(following)
            stack += following
    gradients = {loss.grad_fn: {loss.output_nr: torch.ones_like(loss) if gradient is None else gradient}}
    ready = [loss.grad_fn]
    with torch.no_grad():
        while ready:
            node = ready.pop()
            found = gradients.pop(node, {})
            if hasattr(node, "variable"):
                accumulate(node.variable, found.get(0))
                continue
            out = (None,) * len(node.next_functions)
            if found:
                out = node(*(found.get(number) for number in range(len(node._input_metadata))))
            for (following, number), each in zip(
                node.next_functions, out if isinstance(out, tuple) else (out,), strict=False
            ):
                if following is not None:
                    if each is not None:
                        collect(gradients.setdefault(following, {}), following, number, each)
                    waiting[following] -= 1
                    if not waiting[following]:
                        ready.append(following)


def collect(held, node, number, gradient):
    wanted = node._input_metadata[number]
    if tuple(gradient.shape) != tuple(wanted.shape):
        gradient = gradient.sum_to_size(wanted.shape)
    assert gradient.device == wanted.device, f"{node}: a gradient is on {gradient.device}, expected {wanted.device}"
    gradient = gradient.to(wanted.dtype)
    held[number] = held[number] + gradient if number in held else gradient


def accumulate(leaf, gradient):
    if gradient is not None and leaf.requires_grad:
        leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
