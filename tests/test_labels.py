import pytest

from emoquant.labels import SPELLINGS, canonical_emotion, emotion_index

EMOTION2VEC = [
    "生气/angry",
    "厌恶/disgusted",
    "恐惧/fearful",
    "开心/happy",
    "中立/neutral",
    "其他/other",
    "难过/sad",
    "吃惊/surprised",
    "<unk>",
]


def test_study_emotions_are_found_among_emotion2vec_labels():
    assert [emotion_index(e, EMOTION2VEC) for e in ("angry", "happy", "neutral", "sad", "surprise")] == [0, 3, 4, 6, 7]


def test_no_spelling_stands_for_two_emotions():
    spellings = [s for name, others in SPELLINGS.items() for s in (name, *others)]
    assert len(spellings) == len(set(spellings))
    assert all(canonical_emotion(s.upper()) == name for name, others in SPELLINGS.items() for s in others)


def test_unknown_emotion_is_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"unknown emotion 'hapy'.*fix the label"):
        canonical_emotion("hapy")
    with pytest.raises(ValueError, match="'surprise' is not among"):
        emotion_index("surprise", ["angry"])
