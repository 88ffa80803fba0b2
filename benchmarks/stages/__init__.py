"""What `benchmarks/gpu.py` runs on a machine with a GPU, and how: one process a step, one result a step."""
