"""Corpora as synthesis models read them: phones, durations, mel spectrograms, melody, frames of the emotion encoder."""
