"""Speech from text, conditioned on frames of an emotion encoder: models, vocoders, synthesis."""
