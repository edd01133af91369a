"""The command ``check-data``: what is wrong with a corpus for the training of a voice."""

from emoquant.console.words import DEFAULT_DATA
from emoquant.study.corpus import open_module
from emoquant.voice.data.check import Finding, check_data
from emoquant.voice.data.module import TTSDataModule


def check(
    data: str = DEFAULT_DATA, longest: float = 20.0, at_most: int | None = None, cache_dir: str | None = None
) -> list[Finding]:
    """Say what is wrong with a corpus for the training of a voice.

    Args:
        data: The corpus: a shipped name (esd_speech), a YAML or a CSV. Phones and durations are looked at where it is
            data of a voice, with an aligner.
        longest: Seconds from which on an utterance is called long.
        at_most: Utterances that are looked at, evenly spread; all by default.
        cache_dir: Folder of the caches; that of the data by default.

    Returns:
        What was found, errors first.
    """
    module = open_module(data, encodes=False)
    place = cache_dir or module.cache_dir
    if not isinstance(module, TTSDataModule):
        return check_data(module.corpora, None, place, longest, at_most)
    mel, f0_floor, f0_ceiling = module.analysis
    return check_data(module.corpora, module.aligner, place, longest, at_most, mel, f0_floor, f0_ceiling)
