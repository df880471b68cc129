"""The process that `clean.verify_clean` starts: `FOLDER WORKSPACE TARGETS whole|kernel`."""

import os
import resource
import sys
from pathlib import Path

from rocm_pipeline.bundle.clean import ANSWER, CACHE, Answer, Refused
from rocm_pipeline.bundle.folder import BundleRefused
from rocm_pipeline.bundle.verify import verify
from rocm_pipeline.errors import UserError

_SHARE = 0.8
"""Of this machine's memory; arrays of a stranger's sizes end in a MemoryError, not in swap."""


def main() -> None:
    """Verify and leave the answer in the workspace."""
    folder, workspace, targets = (Path(word) for word in sys.argv[1:4])
    _bound_memory()
    try:
        found = verify(folder, workspace / CACHE, targets=targets, whole=sys.argv[4] == "whole")
        answer = Answer(reproduction=found)
    except UserError as error:
        answer = Answer(
            refused=Refused(
                what=error.what,
                where=error.where,
                fix=error.fix,
                is_bundle=isinstance(error, BundleRefused),
            )
        )
    (workspace / ANSWER).write_text(answer.model_dump_json(), encoding="utf-8")


def _bound_memory() -> None:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # soft alone: what is started in the sandbox gets limits of its own
    soft = int(_SHARE * pages * size)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


if __name__ == "__main__":
    main()
