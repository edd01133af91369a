"""Signals and text of speech: mel spectrograms, melody, phones, alignment, recognition; nothing here is learned."""
