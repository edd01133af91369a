"""Sentences for rendered speech: written for this project, plain in content, 1.5 to 4 seconds when spoken."""

from pathlib import Path

#: The first 40 are those of the default corpus; a voice may be trained on all.
SENTENCES = tuple(Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines())
