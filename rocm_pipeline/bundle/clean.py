"""A clean workspace: verification in a process of its own, with empty caches and a bounded memory.

The same for the pipeline, which reaches T5 by it, and for a maintainer on another machine.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.bundle.folder import BundleRefused
from rocm_pipeline.errors import UserError

ANSWER = "answer.json"
CACHE = "cache"
SECONDS = 3600.0
"""Each run and compilation in it has a limit of its own; this one is for what none foresaw."""

_MODULE = "rocm_pipeline.bundle.clean_process"
_KEPT = ("PATH", "LANG", "LC_ALL")


class Refused(BaseModel):
    """A `UserError`, as it travels between the two processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    where: str
    fix: str
    is_bundle: bool


class Answer(BaseModel):
    """What the process left: exactly one of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reproduction: Reproduction | None = None
    refused: Refused | None = None


def verify_clean(folder: Path, *, targets: Path, whole: bool = True) -> Reproduction:
    """Run `verify.verify` on `folder` in a new process and workspace, both gone afterwards.

    The process has none of the caller's environment but where programs are. Its temporary files
    are in the workspace too: it may be killed, and cleans up nothing then.
    Raises what `verify` raises, and RuntimeError when the process dies.
    """
    with tempfile.TemporaryDirectory(prefix="rocm-pipeline-verify-") as workspace:
        scope = "whole" if whole else "kernel"
        words = [str(folder.resolve()), workspace, str(targets.resolve()), scope]
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-m", _MODULE, *words],
            env={
                **{name: os.environ[name] for name in _KEPT if name in os.environ},
                "TMPDIR": workspace,
            },
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        try:
            text = (Path(workspace) / ANSWER).read_text(encoding="utf-8")
            answer = Answer.model_validate_json(text)
        except (OSError, ValidationError) as error:
            raise RuntimeError(
                f"verification ended with status {done.returncode}: {done.stderr[-2000:]}"
            ) from error
    if answer.refused is not None:
        kind = BundleRefused if answer.refused.is_bundle else UserError
        raise kind(answer.refused.what, where=answer.refused.where, fix=answer.refused.fix)
    assert answer.reproduction is not None
    return answer.reproduction
