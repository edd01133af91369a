"""Models on public hubs: fetched with the clients that funasr and transformers use, and shared."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

#: First parts of paths that are never owners on a hub.
_OWN = ("runs", "checkpoints", "configs", "data")


def is_hub_name(path: str) -> bool:
    """Return whether a path may be a name on Hugging Face, ``owner/name``: there is no folder of the owner's name.

    Example:
        >>> is_hub_name("charactr/vocos-mel-24khz"), is_hub_name("runs/codec"), is_hub_name("codec")
        (True, False, False)
    """
    named = re.fullmatch(r"[\w.-]+/[\w.-]+", path) is not None
    return named and not Path(path).parent.is_dir() and Path(path).parts[0] not in _OWN


def download_model(model: str, hub: Literal["ms", "hf"], patterns: Sequence[str] | None = None) -> Path:
    """Fetch a model from a hub with the client that funasr itself uses, or find it in that client's cache.

    Args:
        model: Name of the model, ``owner/name``.
        hub: ``"ms"`` (ModelScope) or ``"hf"`` (Hugging Face).
        patterns: Names of the files that are fetched, with ``*``; all by default.

    Raises:
        ConnectionError: It could not be fetched.
    """
    command = (
        f"modelscope download --model {model} --local_dir DIR"
        if hub == "ms"
        else f"huggingface-cli download {model} --local-dir DIR"
    )
    options: dict[str, Any] = {"allow_patterns": list(patterns)} if patterns is not None else {}
    with _hub_errors(f"cannot fetch {model!r} from the hub ({hub}): on a machine with a network run `{command}`, copy "
                     "DIR here and give its path as the model"):  # fmt: skip
        if hub == "ms":
            from modelscope.hub.snapshot_download import snapshot_download

            return Path(snapshot_download(model, **options))
        from huggingface_hub import snapshot_download as snapshot_download_hf

        return Path(snapshot_download_hf(model, **options))


def upload_folder(folder: Path, name: str, private: bool = False) -> str:
    """Put the files of a folder into a model repository on Hugging Face, which is made if it is not there.

    Args:
        folder: The folder.
        name: Name of the model, ``owner/name``.
        private: Whether a new repository is private.

    Returns:
        Address of the upload.

    Raises:
        ConnectionError: It could not be uploaded: no network, not logged in, or the name is another's.
        ValueError: The name is none.
    """
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) is None:
        raise ValueError(f"{name!r} is no name on the hub: expected owner/name")
    with _hub_errors(f"cannot upload {name!r} to Hugging Face: log in (`hf auth login`) with the right to write there"):
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=str(folder)))


@contextmanager
def _hub_errors(message: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, ImportError) as error:  # what the two clients raise when offline
        raise ConnectionError(f"{message} ({type(error).__name__}: {error})") from error
