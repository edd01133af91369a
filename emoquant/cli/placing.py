"""Options of data, model, loggers and checkpoints that follow from the words of a command."""

from collections.abc import Mapping
from pathlib import Path

from jsonargparse import Namespace

from emoquant.console.encoder_words import encoder_spec
from emoquant.storage.runs import versions

#: What ``configs/trainer.yaml`` gives a logger: a logger that has it still gets the run's folder and name.
UNPLACED = {"save_dir": "runs", "name": "run"}
#: Folder of listening runs inside the folder of runs.
LISTENING = "listen"
#: Loggers of Lightning whose folder is ``save_dir/name/version_N``.
_VERSIONED = ("TensorBoardLogger", "CSVLogger")


def apply_words(config: Namespace, command: str, name: str, folder: str) -> None:
    """Set the options of data, model and trainer from the words of a command.

    Args:
        config: Parsed options of the subcommand; changed in place.
        command: The subcommand; runs of ``predict`` lie in a folder ``listen`` of their own.
        name: Name of the run; ``{train_emotions}`` in it is filled in.
        folder: Folder of the runs.

    Raises:
        ValueError: The data or the model has no option for a word.
    """
    spec = encoder_spec(config.encoder)
    init = None if spec is None else Namespace(dict(spec.get("init_args") or {}))
    _into_data(config, "encoder", None if spec is None else Namespace(class_path=spec["class_path"], init_args=init))
    _into_data(config, "emotions", config.emotions)
    _into_data(config, "train_emotions", shares_of(config.train_emotions))
    _into_data(config, "partners", config.partners)
    _seed(config)
    named = config.name or name
    model = config.get("model")
    if "{train_emotions}" in named:
        shares = config.data.init_args.get("train_emotions") if config.get("data") else None
        if not shares:
            raise ValueError("say which emotions it is trained on: --train_emotions happy, or happy=0.5,sad=0.5")
        named = named.replace("{train_emotions}", name_of_shares(shares))
    if "{" in named and model is not None and model.init_args.get("quantizer") is not None:
        named = named.format_map(vars(model.init_args.quantizer.init_args))
    if model is not None and "folder" in model.init_args and model.init_args.folder is None:
        model.init_args.folder = folder
    if config.allow_class is not None:
        if model is None or "allow_class" not in model.init_args:
            raise ValueError("--allow_class is for tasks that load codecs, and the model loads none: leave it out")
        allowed = config.allow_class
        model.init_args.allow_class = [allowed] if isinstance(allowed, str) else allowed
    place_run(config.trainer, Path(folder) / LISTENING if command == "predict" else Path(folder), named)


def shares_of(text: str | Mapping[str, float] | None) -> dict[str, float] | None:
    """Return shares of emotions as the command line spells them.

    Raises:
        ValueError: A share is no number.

    Example:
        >>> shares_of("happy"), shares_of("happy=0.25, sad=0.75"), shares_of(None)
        ({'happy': 1.0}, {'happy': 0.25, 'sad': 0.75}, None)
    """
    if text is None or isinstance(text, Mapping):
        return None if text is None else {str(key): float(value) for key, value in text.items()}
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return {emotion.strip(): float(share or 1.0) for emotion, _, share in pairs}
    except ValueError as error:
        raise ValueError(f"--train_emotions {text}: expected EMOTION=SHARE,EMOTION=SHARE ({error})") from error


def name_of_shares(shares: Mapping[str, float]) -> str:
    """Return how a run is named after what it is trained on: emotions, with percent where their shares differ.

    Example:
        >>> name_of_shares({"happy": 1, "sad": 1}), name_of_shares({"happy": 0.7, "sad": 0.3})
        ('happy_sad', 'happy70_sad30')
        >>> name_of_shares({"happy": 0.95, "rest": 0.05})
        'happy95'
    """
    whole = sum(shares.values())
    if len(set(shares.values())) == 1 and "rest" not in shares:
        return "_".join(shares)
    return "_".join(f"{name}{100 * share / whole:.3g}" for name, share in shares.items() if name != "rest") or "rest"


def _into_data(config: Namespace, option: str, value: object) -> None:
    if value is None:
        return
    data = config.get("data")
    if data is None or option not in data.init_args:
        kind = "no data" if data is None else str(data.class_path)
        raise ValueError(f"--{option} is an option of the data, and {kind} has none of that name: leave it out")
    data.init_args[option] = value


def _seed(config: Namespace) -> None:
    """Give the seed of the run to the data and the model that name none of their own."""
    seed = config.get("seed_everything")
    if not isinstance(seed, int) or isinstance(seed, bool):
        return
    for part in (config.get("data"), config.get("model")):
        if part is not None and part.init_args.get("seed") == 0:
            part.init_args.seed = seed


def place_run(trainer: Namespace, folder: Path, name: str) -> None:
    """Give loggers, checkpoints and the trainer's root the folder of the run.

    With TensorBoard or CSV files that is the logger's folder ``FOLDER/NAME/version_N``. With another logger, or none,
    checkpoints, results and configuration lie in a version folder of the same kind.

    Args:
        trainer: Options of the trainer; changed in place.
        folder: Folder of the runs.
        name: Name of the run.
    """
    logger = trainer.get("logger")
    loggers = logger if isinstance(logger, list) else [logger] if isinstance(logger, Namespace) else []
    for each in loggers:
        init = each.init_args
        if init.get("save_dir") in (None, UNPLACED["save_dir"]):
            init.save_dir = str(folder)
        if init.get("name") in (None, UNPLACED["name"], "lightning_logs"):
            init.name = name
    first = loggers[0] if loggers else None
    if first is not None and first.class_path.endswith(_VERSIONED):
        place = Path(first.init_args.save_dir) / first.init_args.name
        trainer.default_root_dir = trainer.get("default_root_dir") or str(place)
        return
    place = folder / name
    last = versions(place)
    version = place / f"version_{last[-1].version + 1 if last else 0}"
    trainer.default_root_dir = str(version)
    if first is not None:
        first.init_args.save_dir = str(version)
    for callback in trainer.get("callbacks") or []:
        if callback.class_path.endswith("ModelCheckpoint") and callback.init_args.get("dirpath") is None:
            callback.init_args.dirpath = str(version / "checkpoints")
