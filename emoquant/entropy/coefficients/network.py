"""The context network in training, and its integer form."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoquant.entropy.coefficients import model
from emoquant.entropy.coefficients.model import CENTRE, CLASSES, FEATURES, HIDDEN, KINDS, LARGEST, OCTAVE, SIZES, Model


class ContextNetwork(nn.Module):
    """Predict the size of a coefficient from its context, and hold tables of size probabilities for every class.

    ``log2 size = log2(sigma/step) + W2 clamp(W1 x + b1, 0, 32) + b2``; the features ``x`` are logarithms. In training
    the probabilities are interpolated between the two nearest classes, which gives the network a gradient. Coding uses
    the nearest class, and tables from counts.

    Attributes:
        logits: Learnt tables, ``(KINDS, CLASSES, SIZES + 1)``.
        probabilities: Tables of the coder, of the same shape, float64.
        offsets: Reconstruction offsets, ``(KINDS, CLASSES, CENTROIDS)``, in steps.
        expected: See :attr:`Model.expected`.
    """

    probabilities: Tensor
    offsets: Tensor
    expected: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, 1)
        tables = torch.from_numpy(model.laplace_tables())
        self.logits = nn.Parameter(tables.log().float())
        self.register_buffer("probabilities", tables)
        self.register_buffer("offsets", torch.zeros(KINDS, CLASSES, model.CENTROIDS))
        self.register_buffer("expected", torch.from_numpy(model.expected_sizes()))
        with torch.no_grad():
            self.output.weight.mul_(0.1)
            self.output.bias.zero_()

    def bits(self, features: Tensor, kinds: Tensor, symbols: Tensor) -> Tensor:
        """Return the bits of symbols, ``(n,)``, for training.

        Args:
            features: Context features in units of 1/32 octave, ``(n, FEATURES)`` int16.
            kinds: Kind of quantizer of each, ``(n,)`` int64.
            symbols: Sizes, limited to ``SIZES``, ``(n,)`` int64.
        """
        inputs = features.float() / OCTAVE
        found = inputs[:, 0] + self.output(self.hidden(inputs).clamp(0, 32))[:, 0]
        place = (4 * found + CENTRE).clamp(0, CLASSES - 1.001)
        below = place.detach().floor()
        way, below = (place - below).unsqueeze(1), below.long()
        tables = self.logits.softmax(-1)
        low, high = tables[kinds, below], tables[kinds, below + 1]
        return -((1 - way) * low + way * high).gather(1, symbols.unsqueeze(1))[:, 0].clamp_min(1e-9).log2()

    def check(self) -> None:
        """Check that the tables are valid and the weights small enough for the integer form (:meth:`integers`).

        Raises:
            ValueError: A table is out of range, or a weight is too large.
        """
        sizes, sums = self.expected, self.probabilities.sum(-1)
        wrong = (
            bool((self.probabilities < 0).any()) or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3),
            float(self.offsets.abs().max()) > 1,
            int(sizes.min()) < 0 or int(sizes.max()) > LARGEST << 10,
        )
        if any(wrong):
            raise ValueError("tables of the context network are out of range: the file is damaged; train it again")
        self.integers()

    @torch.no_grad()
    def integers(self) -> Model:
        """Return the integer form of the network with its tables.

        Raises:
            ValueError: Weights are not finite or too large for sums that float32 holds exactly.
        """

        def rounded(values: Tensor, bits: int) -> NDArray[np.float32]:
            scaled = np.rint(values.detach().cpu().double().numpy() * 2.0**bits)
            return np.ascontiguousarray(scaled, np.float32)

        hidden = rounded(self.hidden.weight.T, model.WEIGHT_BITS)
        bias = rounded(self.hidden.bias, model.WEIGHT_BITS + 5)
        output = rounded(self.output.weight[0], model.WEIGHT_BITS)
        largest = np.abs(hidden).astype(np.float64).sum(0) * 512 + np.abs(bias)
        reach = (model.MOST_HIDDEN >> model.CUT_BITS) * np.abs(output).astype(np.float64).sum()
        if not max(largest.max(), reach) < 2**24:
            raise ValueError(
                "weights of the context network are not finite or too large for exact sums: train it at a lower rate"
            )
        tables = self.probabilities.cpu().numpy().reshape(-1, SIZES + 1)
        cumulative = model.frequencies(tables)
        prices = (model.PRECISION - np.log2(np.diff(cumulative, axis=-1))).astype(np.float32)
        offsets = self.offsets.cpu().numpy().reshape(-1, model.CENTROIDS)
        constant = int(rounded(self.output.bias, model.WEIGHT_BITS + 7)[0])
        expected = self.expected.cpu().numpy()
        return Model(hidden, bias, output, constant, cumulative, prices, offsets, expected, model.log_table())
