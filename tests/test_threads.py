"""Libraries must have no threads of their own in a process of ours that something may fork."""

import subprocess
import sys

_MULTIPLIES = """
import rocm_pipeline
import os
import numpy as np
square = np.ones((512, 512))
assert (square @ square)[0, 0] == 512
print(len(os.listdir("/proc/self/task")))
"""


def test_a_matrix_product_starts_no_threads() -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _MULTIPLIES],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "1"
