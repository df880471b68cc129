"""Git as the pipeline uses it: never interactive, no hooks, no configuration but our own.

A repository's own configuration can name programs (hooks, fsmonitor, filters, textconv) that git
then runs, so every route to them is shut for each call, whoever wrote that configuration. What can
be named freely, such as a filter, is looked up and shut by its name.
"""

import os
import re
from collections.abc import Mapping, Sequence
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
    "maintenance.auto": "false",
    "diff.external": "",
    "core.sshCommand": "false",
    "core.alternateRefsCommand": "",
    "credential.helper": "",
}
_PROGRAMS = re.compile(
    r"(?P<filter>filter\..*)\.(?:clean|smudge|process|required)"
    r"|(?P<diff>diff\..*)\.(?:command|textconv)|(?P<merge>merge\..*)\.driver",
    re.DOTALL,
)
_SHUT = {
    "filter": {"clean": "", "smudge": "", "process": "", "required": "false"},
    "diff": {"command": "", "textconv": ""},
    "merge": {"driver": "false"},
}
"""What a repository may give any name, and the settings that make it harmless."""
AUTHOR = "rocm_pipeline"
EMAIL = "rocm_pipeline@localhost"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment that git runs in, with `more` settings beside our own."""
    settings = {**_SETTINGS, **(more or {})}
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        # nothing is ever fetched, least of all by itself for a partial clone
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _last_line(error: git.GitCommandError) -> str:
    """Return git's own last line; GitPython puts what git said in quotes, with a word before it."""
    said = error.stderr.strip().removeprefix("stderr: '").removesuffix("'").splitlines()
    return said[-1].strip() if said else ""


class Git:
    """Runs git in one working tree or repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git = git.Git(str(folder))

    def run(self, *arguments: str, stdin: BinaryIO | None = None, **variables: str) -> str:
        """Run `git ARGUMENTS` and return what it printed; `UserError` with git's own words."""
        return self._execute(arguments, {**environment(self._shut()), **variables}, stdin)

    def _shut(self) -> dict[str, str]:
        """Return settings that shut the programs which this repository names."""
        listed = self._execute(("config", "--list", "--name-only", "-z"), environment(), None)
        found = [match for key in listed.split("\0") if (match := _PROGRAMS.fullmatch(key))]
        return {
            f"{match[kind]}.{setting}": value
            for match in found
            for kind, settings in _SHUT.items()
            if match[kind]
            for setting, value in settings.items()
        }

    def _execute(
        self, arguments: Sequence[str], variables: Mapping[str, str], stdin: BinaryIO | None
    ) -> str:
        clean = [f"{name}={value}" for name, value in variables.items()]
        try:
            # GitPython hands on the caller's environment, in which GIT_DIR and its like steer git
            found = self._git.execute(["env", "-i", *clean, "git", *arguments], istream=stdin)
        except git.GitCommandError as error:
            reason = _last_line(error) or f"status {error.status}"
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
