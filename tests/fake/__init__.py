"""Fake corpora with the real folder names and file formats, and an encoder without weights."""
