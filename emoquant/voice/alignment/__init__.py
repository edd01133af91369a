"""Where each phone begins and ends: alignments, and the methods that find them."""
