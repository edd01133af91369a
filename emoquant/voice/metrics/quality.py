"""Predicted quality of speech: the DNSMOS network that the package speechmos brings along; nothing is downloaded."""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

_RATE, _SECONDS = 16_000, 9.01

#: From the network's raw output to the scale of listeners, overall quality (Reddy et al. 2022).
_POLYNOMIAL = (-0.06766283, 1.11546468, 0.04602535)


def overall_quality(waveform: Tensor) -> float:
    """Return the overall quality that DNSMOS P.835 predicts, about 1 to 5.

    Speech shorter than 9.01 s is repeated, longer is rated every second; the mean is returned. One thread is used. The
    network was trained on noisy calls: on synthetic voices it shows trends at best.

    Args:
        waveform: Samples at 16 kHz in [-1, 1], ``(N,)``.

    Raises:
        ImportError: speechmos or onnxruntime is not installed.
        ValueError: There is no sample.

    Reference:
        C. K. A. Reddy, V. Gopal, R. Cutler: DNSMOS P.835. ICASSP 2022.
    """
    samples = waveform.clamp(-1, 1).float().cpu().numpy()
    if not len(samples):
        raise ValueError("there is no sample to rate")
    network, size = _network(), int(_SECONDS * _RATE)
    while len(samples) < size:
        samples = np.append(samples, samples)
    starts = range(int(len(samples) / _RATE - _SECONDS) + 1)
    parts = [samples[start * _RATE : start * _RATE + size] for start in starts]
    raw = [network.run(None, {"input_1": part[None]})[0][0][2] for part in parts if len(part) == size]
    return float(np.polyval(_POLYNOMIAL, raw).mean())


@lru_cache(maxsize=1)
def _network() -> Any:  # noqa: ANN401 (a class without types)
    found = importlib.util.find_spec("speechmos")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"DNSMOS needs onnxruntime ({error}); install it: pip install -e '.[speech]'") from error
    if found is None or not found.submodule_search_locations:
        raise ImportError("DNSMOS needs the network of speechmos; install it: pip install -e '.[speech]'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(found.submodule_search_locations[0]) / "dnsmos_models" / "sig_bak_ovr.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
