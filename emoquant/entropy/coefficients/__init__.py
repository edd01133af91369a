"""Entropy coding of transform coefficients: integer contexts, symbol tables and a range coder, compiled by numba."""
