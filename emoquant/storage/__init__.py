"""Files and folders: whole or not at all, read within bounds; runs and results as they lie on disk."""
