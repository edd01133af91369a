"""Commands of ``emoquant``: typed functions over files; heavy imports wait until one runs."""
