"""Names of emotions: the canonical ones, the spellings of the corpora, and emotion2vec's nine classes."""

from collections.abc import Sequence

#: The five emotions of ESD and of the study, in the order of its tables.
STUDY_EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise")

#: Dimensions of emotion that annotators rate beside its name (Russell and Mehrabian 1977).
DIMENSIONS = ("arousal", "valence", "dominance")

#: Canonical names, each with the other spellings that corpora and models use for it.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "ang", "rage", "frustrated_anger", "生气"),
    "happy": ("happiness", "hap", "joy", "开心"),
    "neutral": ("neu", "normal", "中立"),
    "sad": ("sadness", "难过"),
    "surprise": ("surprised", "sur", "吃惊"),
    "fear": ("fearful", "fea", "anxiety", "恐惧"),
    "disgust": ("disgusted", "dis", "厌恶"),
    "calm": (),
    "boredom": ("bored",),
    "excited": ("exc", "excitement"),
    "frustrated": ("fru", "frustration"),
    "other": ("oth", "其他"),
    "unknown": ("<unk>", "unk", "xxx"),
}

#: Emotion that an emotion is brought together with where two references are mixed.
_OPPOSITES = {"happy": "sad", "sad": "happy", "angry": "neutral", "neutral": "angry", "surprise": "sad",
              "fear": "angry", "disgust": "happy", "calm": "angry", "boredom": "happy", "excited": "sad",
              "frustrated": "happy"}  # fmt: skip

_CANONICAL = {spelling: name for name, others in SPELLINGS.items() for spelling in (name, *others)}


def canonical_emotion(name: str) -> str:
    """Return the canonical name of an emotion, whatever its spelling.

    A bilingual label of emotion2vec (``"生气/angry"``) is read by its last part.

    Args:
        name: A spelling found in :data:`SPELLINGS`, in any case.

    Raises:
        ValueError: The name is in no list.

    Example:
        >>> canonical_emotion("难过/sad"), canonical_emotion("Surprised")
        ('sad', 'surprise')
    """
    found = _CANONICAL.get(name.strip().split("/")[-1].lower())
    if found is None:
        known = ", ".join(SPELLINGS)
        raise ValueError(
            f"unknown emotion {name!r}: expected one of {known} or a listed spelling; fix the label or map it"
        )
    return found


def emotion_index(emotion: str, emotions: Sequence[str]) -> int:
    """Return the position of an emotion in a list, by canonical name.

    Args:
        emotion: Name in any listed spelling.
        emotions: Canonical names or model labels, in the order of the classes.

    Raises:
        ValueError: The emotion is not among them.

    Example:
        >>> emotion_index("surprise", ["生气/angry", "吃惊/surprised"])
        1
    """
    names = [canonical_emotion(e) for e in emotions]
    wanted = canonical_emotion(emotion)
    if wanted not in names:
        raise ValueError(f"emotion {emotion!r} is not among {list(emotions)}")
    return names.index(wanted)


def opposite_emotions(emotions: Sequence[str]) -> dict[str, str]:
    """Return the emotion that each one is mixed with: its opposite where the corpus has it, else the next one.

    Args:
        emotions: Canonical names of the corpus's emotions, at least two.

    Example:
        >>> opposite_emotions(["angry", "happy", "sad"])
        {'angry': 'happy', 'happy': 'sad', 'sad': 'happy'}
    """
    following = dict(zip(emotions, [*emotions[1:], emotions[0]], strict=True))
    return {name: other if (other := _OPPOSITES.get(name, "")) in emotions else following[name] for name in emotions}
