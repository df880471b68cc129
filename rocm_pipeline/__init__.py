"""A software factory for AMD GPU kernels."""

import os

__version__ = "0.1.0"

# Cases run side by side already. And where anything forks beside a thread of ours that multiplies,
# OpenBLAS ends its own threads and blocks both for ever (seen: the reference of flash_attention
# beside a sandbox that was started by fork). Read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
