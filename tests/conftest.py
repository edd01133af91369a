"""One thread for every test: results do not hang on the machine's cores."""

import torch

torch.set_num_threads(1)
