"""A software factory for AMD GPU kernels."""

import os

__version__ = "0.1.0"

# A process that runs as another user is started by fork, and OpenBLAS ends its threads at each
# fork: one that is multiplying in another thread of ours then blocks both for ever (seen: the
# reference of flash_attention beside a sandbox's start). Read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
