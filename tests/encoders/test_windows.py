import pytest
import torch

from emoquant.encoders.windows import Windows, join_windows, plan_windows

WINDOWS = Windows(window=2.0, overlap=0.5, sample_rate=16_000, hop=320, field=400)


@pytest.mark.parametrize("length", [400, 31_999, 32_080, 32_081, 56_000, 56_080, 56_081, 100_000, 777_777])
def test_every_frame_is_taken_once_and_in_order(length):
    plan = plan_windows(length, WINDOWS)
    numbers = torch.arange((length - 400) // 320 + 1, dtype=torch.float32)
    parts = []
    for start, stop in plan:
        assert start % 320 == 0
        assert 400 <= stop - start <= WINDOWS.samples
        parts.append(numbers[start // 320 : (stop - start - 400) // 320 + 1 + start // 320, None])
    assert torch.equal(join_windows(parts, plan, WINDOWS)[:, 0], numbers)


def test_frames_come_from_where_their_window_has_context():
    plan = plan_windows(100_000, WINDOWS)
    parts = [torch.full(((stop - start - 400) // 320 + 1, 1), float(i)) for i, (start, stop) in enumerate(plan)]
    origin = join_windows(parts, plan, WINDOWS)[:, 0]
    for i, (start, stop) in enumerate(plan):
        own = (origin == i).nonzero()[:, 0]
        margin = 11  # frames; half of the overlap less one
        assert i == 0 or int(own[0]) >= start // 320 + margin
        assert i == len(plan) - 1 or int(own[-1]) <= (stop - 400) // 320 - margin
