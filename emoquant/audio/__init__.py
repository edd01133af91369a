"""Signals of speech: reading audio files, trimming, mel spectrograms, F0, and the built-in speech synthesis."""
