"""Which references a listening run takes."""

from collections import Counter

import pytest
from spoken_world import corpus, speech_data

from emoquant.voice.tasks.listening_items import ItemSource, spread_over_texts

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


@pytest.mark.parametrize(("speakers", "sentences"), [(4, 8), (7, 18), (4, 5), (3, 1)])
def test_sentences_take_turns(speakers, sentences):
    cells = [(speaker, emotion) for emotion in range(5) for speaker in range(speakers)]
    who, emotions, texts = zip(
        *[(*cell, f"text {number}") for cell in cells for number in range(sentences)], strict=True
    )
    rows = spread_over_texts(who, emotions, texts, 1)
    assert rows == sorted(rows)
    assert sorted((who[row], emotions[row]) for row in rows) == sorted(cells), "one of each"
    uses = Counter(texts[row] for row in rows)
    assert len(uses) == min(sentences, 5 * speakers)
    assert max(uses.values()) - min(uses.values()) <= 2
    for emotion in range(5):
        assert len({texts[row] for row in rows if emotions[row] == emotion}) == min(speakers, sentences)
    twice = spread_over_texts(who, emotions, texts, 2)
    assert len(twice) == min(2, sentences) * 5 * speakers
    assert len({(who[row], emotions[row], texts[row]) for row in twice}) == len(twice)


def test_the_choice_of_references_does_not_hang_on_what_is_left_out(tmp_path):
    data = speech_data(tmp_path, corpora=corpus(tmp_path, sentences=10, voices=("en-us", "en-us+f3")))
    data.prepare_data()
    data.setup()
    every = ItemSource(data, 1, None, "same", None).rows
    texts = {data.dataset("test").utterances[row].text for row in every}
    assert texts == {utterance.text for utterance in data.dataset("test").utterances}
    assert len(texts) == 2
    one = ItemSource(data, 1, ["en-us+f3"], "same", {"happy": "sad", "sad": "happy"})
    assert len(one.rows) == 2
    assert set(one.rows) < set(every)
    utterances = data.dataset("test").utterances
    for row in one.rows:
        assert utterances[one.partners[row]].text == utterances[row].text, "partners say the same sentence"
