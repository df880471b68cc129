"""The built-in example repository: the baselines of the built-in targets, under git."""

import shutil
import tempfile
from pathlib import Path

from rocm_pipeline.publishing.git import Git
from rocm_pipeline.targets import library

_DATE = "2026-01-01T00:00:00+00:00"
"""A fixed date gives the example the same first commit everywhere."""

_README = """# Example kernels

Plain HIP kernels, one folder per target. Branches named `agent/...` propose faster ones.
"""


def ensure_example(folder: Path) -> None:
    """Make the example repository at `folder`, unless something is there already."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".example-") as temporary:
        work = Path(temporary) / "repository"
        work.mkdir()
        (work / "README.md").write_text(_README, encoding="utf-8")
        for name in library.builtin_names():
            target = library.load(name, Path(temporary) / "none")
            kernel = work / "kernels" / name / "kernel.hip"
            kernel.parent.mkdir(parents=True)
            kernel.write_text(target.baseline.source, encoding="utf-8")
        git = Git(work)
        git.run("init", "--quiet", "--initial-branch=main")
        git.run("add", "--all")
        git.run(
            "commit",
            "--quiet",
            "--message=Plain kernels to start from",
            GIT_AUTHOR_DATE=_DATE,
            GIT_COMMITTER_DATE=_DATE,
        )
        shutil.move(work, folder)
