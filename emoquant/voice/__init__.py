"""Voices: text and alignment, speech synthesis conditioned on emotion, vocoders, and how their speech is measured."""
