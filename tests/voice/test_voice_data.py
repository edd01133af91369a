import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from spoken_world import BandEncoder, corpus, speech_data

from emoquant.__main__ import main
from emoquant.audio.loading import read_audio
from emoquant.audio.mel import MelSettings
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule
from emoquant.data.sampling import BucketSampler, Rows
from emoquant.voice.alignment.alignment import SILENCES, timed_phones
from emoquant.voice.data import LearnedAligner, TextGridAligner, TTSDataModule, VoiceAligner
from emoquant.voice.data.cache import CorpusError
from emoquant.voice.data.check import check_data
from emoquant.voice.data.items import check_item
from emoquant.voice.text.text import front_end

CONFIGS = Path(__file__).parent.parent.parent / "configs"

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spoken")


@pytest.fixture(scope="module")
def data(folder):
    module = speech_data(folder, frames_per_batch=600)
    module.prepare_data()
    module.setup()
    return module


def test_invariants_hold_in_every_batch(data):
    seen = []
    for batch in data.train_dataloader():
        seen += batch.utterances.tolist()
        assert batch.phones.shape[0] * batch.mels.shape[1] <= 600
        assert torch.equal(batch.durations.sum(1), batch.mel_lengths)
        for row, (phones, frames) in enumerate(zip(batch.phone_lengths, batch.mel_lengths, strict=True)):
            assert (batch.phones[row, :phones] > 0).all()
            assert not batch.phones[row, phones:].any()
            assert not batch.mels[row, frames:].any()
            assert (batch.f0[row, :frames] > 0).all()
            assert not batch.f0[row, frames:].any()
            segments = batch.style.phones[row, : int(batch.style.lengths[row])]
            assert segments[0] == 1
            assert set(segments.diff().tolist()) <= {0, 1}
        seconds = batch.emotion_lengths / 50 - batch.mel_lengths / data.mel.frame_rate
        assert seconds.abs().max() < 0.1
        torch.testing.assert_close(batch.speaker_vectors.norm(dim=1), torch.ones(len(batch.phones)))
    assert sorted(seen) == list(range(len(data.dataset("train"))))


def test_phones_and_statistics(data):
    assert data.front_end == "espeak:en-us"
    assert {"<BOS>", "<EOS>"} <= set(data.phones)
    batch = next(iter(data.val_dataloader()))
    symbols = [data.phones[phone - 1] for phone in batch.phones[0, : batch.phone_lengths[0]]]
    assert symbols[0] == "<BOS>"
    assert symbols[-1] == "<EOS>"
    dataset = data.dataset("train")
    means = torch.stack([dataset.frames[row].mean(0) for row in range(len(dataset))])
    torch.testing.assert_close(data.emotion_mean, means.mean(0))
    sad = data.emotions.index("sad")
    torch.testing.assert_close(data.emotion_centroids[sad], means[torch.from_numpy(dataset.emotions == sad)].mean(0))
    voiced = np.concatenate([item.f0[item.voiced] for item in dataset.items])
    assert data.f0_mean == pytest.approx(voiced.mean(), rel=1e-5)


def test_another_reference_has_the_same_speaker_and_emotion(folder):
    other = speech_data(folder, reference="other", corpora=corpus(folder, sentences=5))
    other.prepare_data()
    other.setup()
    dataset = other.dataset("train")
    batch, again, later = (dataset[Rows(np.array([0]), epoch)] for epoch in (0, 0, 1))
    assert not torch.equal(batch.style.mels, batch.mels)
    assert torch.equal(batch.style.mels, again.style.mels)
    chosen = {tuple(dataset[Rows(np.array([0]), epoch)].style.lengths.tolist()) for epoch in range(12)}
    assert len(chosen) > 1 or torch.equal(batch.style.mels, later.style.mels) is False
    group = [row for row in range(len(dataset)) if dataset.emotions[row] == dataset.emotions[0]]
    assert {length for (length,) in chosen} <= {int(dataset.lengths[row]) for row in group}
    assert torch.equal(batch.emotion_frames[0], dataset.frames[dataset._reference(0, 0, 10_000)])


def test_words_can_be_divided_by_a_symbol(folder, data):
    marked = speech_data(folder, boundaries=True)
    marked.prepare_data()
    marked.setup()
    assert marked.front_end == f"words:{data.front_end}"
    assert set(marked.phones) == {*data.phones, "|"}
    item, plain = (each.dataset("train").items[0] for each in (marked, data))
    check_item(item)
    assert [symbol for symbol in item.symbols if symbol != "|"] == list(plain.symbols)
    bare = [symbol == "|" for symbol in item.symbols]
    assert item.durations[bare].sum() == 0
    np.testing.assert_array_equal(item.durations[~np.array(bare)], plain.durations)
    again = front_end(marked.front_end)(marked.dataset("train").utterances[0].text)
    assert again.symbols == list(item.symbols)


def test_half_of_the_references_are_others(folder):
    both = speech_data(folder, reference="both", corpora=corpus(folder, sentences=5))
    both.prepare_data()
    both.setup()
    dataset = both.dataset("train")
    same = [dataset._reference(row, epoch, 10_000) == row for row in range(len(dataset)) for epoch in range(20)]
    assert 0.35 < np.mean(same) < 0.65


def test_frames_of_the_codecs_data_are_not_encoded_again(folder, tmp_path, monkeypatch):
    codecs = EmotionDataModule(corpus(folder), BandEncoder(), cache_dir=str(tmp_path), precision="float16")
    codecs.setup()
    monkeypatch.setattr(BandEncoder, "forward", None)
    shared = speech_data(tmp_path, corpora=corpus(folder), precision="float16")
    shared.setup()
    frames = shared.dataset("train").frames[0]
    assert torch.equal(frames, frames.half().float())
    with pytest.raises(TypeError, match="not callable"):  # the other store is empty
        speech_data(tmp_path, corpora=corpus(folder)).setup()


def test_the_cache_repairs_what_is_damaged_or_out_of_date(folder, data):
    utterance = data.dataset("train").utterances[0]
    cache = data._cache
    path = cache.path(utterance)
    before = cache.read(utterance)
    path.write_bytes(path.read_bytes()[:-200])
    assert cache.read(utterance) is None
    assert cache.fill([utterance], progress=False) == 1
    np.testing.assert_array_equal(cache.read(utterance).mels, before.mels)
    assert cache.read(utterance._replace(text="Other words.")) is None, "another text is another item"
    assert not list(path.parent.glob("*.tmp"))
    with pytest.raises(ValueError, match="do not sum"):
        check_item(before._replace(durations=before.durations + 1))


def test_ranks_share_the_work_and_batches_are_equally_many(folder):

    lengths = speech_data(folder)
    lengths.setup()
    counts = {len(BucketSampler(lengths.dataset("train").lengths, 500, 0, rank, 3)) for rank in range(3)}
    assert len(counts) == 1


def manifest(folder, lines):
    path = folder / "manifest.csv"
    path.write_text("path,emotion,speaker,text,split,id\n" + "\n".join(lines) + "\n")
    return ManifestCorpus(str(path), name="own", root=str(folder), allow_outside=True)


def test_any_language_can_be_aligned(folder, data, tmp_path):
    used = data.dataset("train").utterances
    lines = [f'{u.path},{u.emotion},{u.speaker},"{u.text}",train,{u.id}' for u in used[:2]]
    own = TTSDataModule(manifest(tmp_path, lines), VoiceAligner(), BandEncoder(), cache_dir=str(tmp_path))
    own.setup()
    exact = data.dataset("train").items[0]
    found = own.dataset("train").items[0]
    assert found.symbols == exact.symbols
    assert np.abs(np.cumsum(found.durations) - np.cumsum(exact.durations)).max() <= 2
    with pytest.raises(ValueError, match="set aligner to VoiceAligner"):
        TTSDataModule(manifest(tmp_path, lines), encoder=BandEncoder(), cache_dir=str(tmp_path))


def test_an_aligner_that_learns_finds_the_phones_of_rendered_speech(folder, data):
    aligner, exact = LearnedAligner(rounds=2), data.aligner
    aligner.open([corpus(folder)])
    errors = []
    for utterance in data.dataset("train").utterances:
        found, true = aligner.align(utterance, read_audio(utterance.path)), exact.align(utterance, None)
        symbols, borders = timed_phones(found)
        front = front_end(aligner.front_end)(utterance.text)
        assert [s for s in symbols.symbols if s != "_"] == [s for s in front.symbols if s != "_"]
        assert max(symbols.words) - symbols.symbols.count("_") == max(front.words) - front.symbols.count("_")
        assert borders == sorted(borders)
        starts = [phone.start for phone in true.phones if phone.label not in SILENCES]
        errors += [
            abs(phone.start - start)
            for phone, start in zip([phone for phone in found.phones if phone.label != "_"], starts, strict=True)
        ]
    assert np.median(errors) < 0.012
    assert np.mean(errors) < 0.03


def test_what_a_learning_aligner_found_is_found_again_in_the_cache(folder, data):
    utterance = data.dataset("train").utterances[0]
    stamps = []
    for settings in ({"rounds": 2}, {"rounds": 2}, {"rounds": 1}, {"rounds": 2, "utterances": 3}):
        aligner = LearnedAligner(**settings)
        aligner.open([corpus(folder)])
        stamps.append(aligner.stamp(utterance))
    assert stamps[0] == stamps[1]
    assert len(set(stamps)) == 3


def test_a_corpus_with_faults_is_told_them(data, tmp_path, capsys):
    good = data.dataset("train").utterances[0]
    (tmp_path / "cut.wav").write_bytes(good.path.read_bytes()[:3000])
    for name in ("leak", "mute", "wordy"):
        shutil.copy(good.path, tmp_path / f"{name}.wav")
    lines = [
        f'{good.path},angry,one,"{good.text}",train,good',
        f"{tmp_path / 'cut.wav'},angry,one,The boat.,train,cut",
        f'{tmp_path / "leak.wav"},angry,one,"{good.text}",test,leak',
        f"{tmp_path / 'mute.wav'},angry,one,,train,mute",
        f'{tmp_path / "wordy.wav"},angry,one,"{"word " * 60}",train,wordy',
    ]
    findings = check_data(manifest(tmp_path, lines), VoiceAligner(), cache_dir=str(tmp_path))
    told = capsys.readouterr().out
    assert [finding.severity for finding in findings] == sorted(f.severity for f in findings)
    for what in ("truncated", "no text", "no utterance in the split 'validation'", "in another split", "fewer than 10"):
        assert what in told, what
    assert "mute" in told
    for rows, why in ((lines, "cut.wav: truncated"), ([*lines[:1], *lines[2:]], "mute: it has no text")):
        strict = TTSDataModule(manifest(tmp_path, rows), VoiceAligner(), BandEncoder(), cache_dir=str(tmp_path / "c"))
        with pytest.raises((CorpusError, ValueError), match=why):
            strict.setup()


def test_what_is_checked_is_kept_for_a_training_with_the_same_settings(folder, tmp_path):
    settings = {"mel": MelSettings(mels=40), "f0_floor": 70.0, "f0_ceiling": 600.0}
    rendered = corpus(folder)
    check_data(rendered, cache_dir=str(tmp_path), at_most=2, **settings)
    kept = sorted((tmp_path / "voice").rglob("*.npz"))
    module = speech_data(tmp_path, corpora=rendered, **settings)
    found = [module._cache.read(utterance) for utterance in rendered.utterances()]
    assert len(kept) == sum(item is not None for item in found) == 2
    assert {item.mels.shape[1] for item in found if item is not None} == {40}


def test_the_command_checks_what_a_voice_is_trained_on(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("emoquant.commands.check.check_data", lambda *args: asked.append(args))
    for name, voice in (("esd", "base"), ("nemo", "nemo")):
        run = yaml.safe_load((CONFIGS / "train" / f"tts_{voice}.yaml").read_text())
        assert run["data"] == f"../data/{name}_speech.yaml"
        content = yaml.safe_load((CONFIGS / "data" / f"{name}_speech.yaml").read_text())
        content["init_args"] |= {"mel": {"mels": 40}, "f0_floor": 70.0}
        own = tmp_path / f"{name}.yaml"
        own.write_text(yaml.safe_dump(content))
        trained = content["init_args"]
        for data, mels, floor in ((f"{name}_speech", MelSettings().mels, 60.0), (str(own), 40, 70.0)):
            main(["check-data", "--data", data, "--cache_dir", str(tmp_path)])  # encoders of a hub are not fetched
            corpora, aligner, place, longest, at_most, mel, f0_floor, f0_ceiling = asked.pop()
            assert [type(each).__name__ for each in corpora] == [trained["corpora"]["class_path"].rpartition(".")[2]]
            assert corpora[0].name == name
            assert corpora[0].split == trained["corpora"]["init_args"]["split"]
            assert type(aligner).__name__ == trained["aligner"]["class_path"].rpartition(".")[2]
            assert aligner.voice == trained["aligner"]["init_args"]["voice"]
            assert (place, longest, at_most) == (str(tmp_path), 20.0, None)
            assert (mel.mels, f0_floor, f0_ceiling) == (mels, floor, 750.0)


def test_textgrids_that_are_missing_are_named(data, tmp_path):
    good = data.dataset("train").utterances[0]
    lines = [f'{good.path},angry,one,"{good.text}",train,good']
    aligner = TextGridAligner(str(tmp_path), "cmu")
    module = TTSDataModule(manifest(tmp_path, lines), aligner, BandEncoder(), cache_dir=str(tmp_path))
    with pytest.raises(CorpusError, match="good: no TextGrid good"):
        module.setup()


def test_the_rendered_corpus_has_no_fault(folder, capsys):
    findings = check_data(corpus(folder), cache_dir=str(folder))
    assert not [finding for finding in findings if finding.severity == "error"]
    assert "15 of 15 utterances checked" in capsys.readouterr().out
