"""Text to phones and back: normalisation, grapheme-to-phoneme front ends, speech recognition, word errors."""
