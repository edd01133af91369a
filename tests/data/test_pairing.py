import numpy as np
import pytest

from emoquant.data.pairing import partner_rows

NAMES = ["happy", "sad", "neutral"]
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 2, 0, 1])
VOICES = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1])


def test_partners_are_of_the_same_speaker_and_the_chosen_emotion():
    rows, partners = partner_rows(LABELS, VOICES, NAMES, {"happy": "sad", "sad": "happy"})
    assert rows.tolist() == [0, 1, 3, 4, 6, 8, 9]
    assert partners.tolist() == [1, 0, 4, 3, 1, 9, 8]


def test_by_default_each_emotion_goes_with_the_next():
    rows, partners = partner_rows(LABELS[:8], VOICES[:8], NAMES)
    assert rows.tolist() == list(range(8))
    assert (LABELS[partners] == (LABELS[rows] + 1) % 3).all()


@pytest.mark.parametrize(
    ("partners", "message"),
    [
        ({"happy": "happy"}, "these do not: .'happy: happy'"),
        ({"happy": "fear"}, "these do not: .'happy: fear'"),
        ({}, "these do not: none"),
        ({"happy": "neutral"}, "speaker 1 of the test split has no neutral utterance to go with 1 of happy"),
    ],
)
def test_what_is_wrong_is_named(partners, message):
    with pytest.raises(ValueError, match=message):
        partner_rows(LABELS, VOICES, NAMES, partners)
