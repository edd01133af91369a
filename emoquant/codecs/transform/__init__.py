"""Transform coding of frame features: rotation, cosine transform over time, entropy-coded scalars."""
