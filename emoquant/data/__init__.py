"""Corpora of emotional speech, the store of their frame features, and the data modules that batch them."""
