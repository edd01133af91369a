"""Evaluation, as ``emoquant test``: ``python eval.py test lambda_sweep``."""

from emoquant.__main__ import main

if __name__ == "__main__":
    main()
