"""Git as the pipeline uses it: never interactive, no hooks, no configuration but our own.

A repository's own configuration can name programs (hooks, fsmonitor, filters, textconv) that git
then runs, so every route to them is shut for each call, whoever wrote that configuration.
"""

import os
from pathlib import Path
from typing import BinaryIO

# without git installed the import would fail, and with it everything; `doctor` says it instead
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git

from rocm_pipeline.errors import UserError

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.symlinks": "false",
    "safe.bareRepository": "explicit",
    "safe.directory": "*",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "diff.external": "",
}
AUTHOR = "rocm_pipeline"
EMAIL = "rocm_pipeline@localhost"


def environment() -> dict[str, str]:
    """Return the whole environment that git runs in."""
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    }
    for number, (key, value) in enumerate(_SETTINGS.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


class Git:
    """Runs git in one working tree or repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git = git.Git(str(folder))

    def run(self, *arguments: str, stdin: BinaryIO | None = None, **variables: str) -> str:
        """Run `git ARGUMENTS` and return what it printed; `UserError` with git's own words."""
        clean = [f"{name}={value}" for name, value in {**environment(), **variables}.items()]
        try:
            # GitPython hands on the caller's environment, in which GIT_DIR and its like steer git
            found = self._git.execute(["env", "-i", *clean, "git", *arguments], istream=stdin)
        except git.GitCommandError as error:
            lines = str(error.stderr).strip().strip("'").splitlines()
            reason = lines[-1].strip() if lines else f"status {error.status}"
            raise UserError(
                f"`git {arguments[0]}` failed ({reason})",
                where=str(self.folder),
                fix="Mend the repository, or configure another.",
            ) from error
        return str(found)

    def succeeds(self, *arguments: str) -> bool:
        """Run git and say whether it exited with status 0."""
        try:
            self.run(*arguments)
        except UserError:
            return False
        return True
