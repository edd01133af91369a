"""The command ``share``: a trained codec, probe, voice or vocoder as a folder, and on Hugging Face."""

from pathlib import Path


def share(
    model: str, folder: Path, name: str | None = None, runs: Path = Path("runs"), private: bool = False
) -> str | None:
    """Save a trained model in the format of the hub: a description in JSON, weights in safetensors, a model card.

    Args:
        model: Name of a run, folder of a run, or checkpoint of a codec, a probe, a voice or a vocoder.
        folder: Folder to write into.
        name: Name on Hugging Face, ``owner/name``, that the folder is uploaded as; nothing is uploaded without it.
        runs: Folder of runs that bare names are looked up in.
        private: Whether a new repository there is private.

    Returns:
        Address of the upload, None without one.

    Raises:
        ConnectionError: It could not be uploaded.
        FileNotFoundError: There is no such run or file.
        ValueError: The checkpoint is of none of these.
    """
    from emoquant.storage.hub import upload_folder
    from emoquant.storage.runs import find_checkpoint
    from emoquant.storage.tensors import read_tensors

    path = find_checkpoint(model, runs)
    content = read_tensors(path, mmap=True)
    keys = set(content) if isinstance(content, dict) else set()
    if "emoquant_codec" in keys:
        from emoquant.codecs import load_codec, save_pretrained

        save_pretrained(load_codec(path, name=Path(model).stem), folder)
    elif "emoquant_voice" in keys:
        from emoquant.voice.tts.voice import load_voice, save_voice

        save_voice(folder, load_voice(path))
    elif "emoquant_vocoder" in keys:
        from emoquant.voice.tts.vocoder_checkpoint import load_vocoder, save_vocoder

        vocoder = load_vocoder(path)
        save_vocoder(folder, vocoder.generator, vocoder.mel)
    elif "probe" in keys:
        from emoquant.encoders import ProbeHead

        ProbeHead(str(path)).save(folder)
    else:
        raise ValueError(f"{path} is no checkpoint of a codec, a probe, a voice or a vocoder: expected one of these")
    print(f"{folder}: {', '.join(sorted(each.name for each in folder.iterdir()))}")
    return None if name is None else upload_folder(folder, name, private)
