"""Training, as ``emoquant fit``: ``python train.py fit codec``."""

from emoquant.__main__ import main

if __name__ == "__main__":
    main()
