"""Commands of ``emoquant``: typed functions over files; heavy imports wait until one runs."""

#: What every command is for. Its function is of its name in a module of its name, but for those of :data:`FUNCTIONS`;
#: modules are imported when their command is used.
COMMANDS: dict[str, str] = {
    "fit": "train a codec, a probe, a voice: emoquant fit codec --data esd --folder runs/esd",
    "validate": "measure a training's checkpoint on validation data",
    "test": "evaluate codecs on test data: emoquant test lambda_sweep --folder runs/esd",
    "predict": "synthesise speech from quantized references: emoquant predict lambda",
    "study": "train and evaluate all that the data allow, and write one page",
    "results": "the whole study over corpora and encoders, and the page of its findings",
    "across": "codecs of one corpus tested on others: emoquant across runs/esd runs/ravdess",
    "layers": "where in a model of transformers emotion is: agreement and UAR over layer and lambda",
    "bits": "what else than emotion is in the bits of a codec: speaker, text, melody, over bits a second",
    "manifest": "list a folder of recordings with their emotions as a table",
    "measure": "emotions of your own recordings over time and over lambda, without labels or training",
    "leaderboard": "codecs of several evaluations in one table: emoquant leaderboard runs/codecs",
    "extract": "put the frame features of corpora into the feature store",
    "compress": "compress features or audio with a codec",
    "decompress": "turn compressed files back into features",
    "contents": "list the utterances of an archive of compressed features",
    "share": "save a codec, probe, voice or vocoder for others, also on the hub",
    "site": "build a website of listening pages, report and provenance",
    "reports": "draw the reports of a finished evaluation again",
    "app": "try codecs and a voice on your own speech, in the browser",
    "completion": 'let the shell complete words: eval "$(emoquant completion)"',
    "say": "say a text with the emotion of a recording, by a voice",
    "check-data": "say what is wrong with a corpus for training a voice",
}
#: Module, below ``emoquant``, and function of the commands that are called otherwise.
FUNCTIONS = {
    **dict.fromkeys(("fit", "validate", "test", "predict"), ("cli", "run")),
    "measure": ("commands.measure", "measure_folder"),
    "check-data": ("commands.check", "check"),
}
