"""Where tensors are computed: ranks, precision, memory, and the division of work between processes."""
