import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from emoquant.metrics import accuracy, f1, recall, unweighted_average_recall
from emoquant.metrics.recognition import class_columns, closed_set_logits

LABELS = ["生气/angry", "厌恶/disgusted", "开心/happy", "难过/sad"]
EMOTIONS = ["happy", "angry", "sad"]


@pytest.fixture
def votes():
    random = np.random.default_rng(0)
    return random.integers(0, 3, 200), random.standard_normal((200, 4))


def counted(target, logits):
    counts = torch.zeros(len(EMOTIONS), len(LABELS), dtype=torch.int64)
    for emotion, chosen in zip(target, logits.argmax(1), strict=True):
        counts[emotion, chosen] += 1
    return counts


def test_scores_equal_scikit_learn(votes):
    target, logits = votes
    columns = class_columns(EMOTIONS, LABELS)
    confusion = counted(target, logits)
    true, chosen = columns.numpy()[target], logits.argmax(1)
    kept = columns.tolist()
    np.testing.assert_allclose(recall(confusion, columns), sk.recall_score(true, chosen, labels=kept, average=None))
    np.testing.assert_allclose(f1(confusion, columns), sk.f1_score(true, chosen, labels=kept, average=None))
    assert float(accuracy(confusion, columns)) == pytest.approx(sk.accuracy_score(true, chosen))
    uar = sk.recall_score(true, chosen, labels=kept, average="macro")
    assert float(unweighted_average_recall(confusion, columns)) == pytest.approx(uar)


def test_closed_set_leaves_only_the_corpus_emotions(votes):
    columns = class_columns(EMOTIONS, LABELS)
    masked = closed_set_logits(torch.from_numpy(votes[1]), columns)
    assert set(masked.argmax(-1).tolist()) == set(columns.tolist())


def test_an_emotion_without_utterances_is_nan_not_zero():
    confusion, columns = torch.tensor([[2, 1], [0, 0]]), torch.tensor([0, 1])
    assert recall(confusion, columns).isnan().tolist() == [False, True]
    assert f1(confusion, columns).isnan().tolist() == [False, True]
    assert unweighted_average_recall(confusion, columns).isnan()


def test_missing_class_names_both_sides():
    with pytest.raises(ValueError, match=r"no class for surprise: its classes are angry, disgust, happy, sad"):
        class_columns(["happy", "surprise"], LABELS)
