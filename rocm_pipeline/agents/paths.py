"""The names that a file of an agent's may have: refused here, before anything is written.

A name is plain ASCII, so that no two names look alike or are one name to another file system, and
none of those below, on which git, builds, test runners, continuous integration or other agents act.
No list of such names is ever whole: the first wall is the role's list of files that it may send
(`agents.roles`), this is the second. It lets pass what a package of ours holds (`__init__.py`,
`test_op.py`) and a module that is named like another's (`torch.py`); a role's list does not.
"""

import re
from collections.abc import Iterable

MAX_PART = 255
MAX_PATH = 1000
MAX_DEPTH = 12

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_SHORT_GIT = re.compile(r"git~\d+", re.IGNORECASE)
_FOLDERS_ACTED_ON_NAMES = """
    hooks git-hooks refs objects github gitlab circleci workflows
    node_modules __pycache__ site-packages
"""
_FILES_ACTED_ON_NAMES = """
    head fetch_head config description index.lock packed-refs
    gitattributes gitmodules gitconfig gitignore desktop.ini thumbs.db autorun.inf
    agents.md agents.override.md claude.md claude.local.md gemini.md copilot.md skill.md warp.md
    conventions.md copilot-instructions.md cursorrules windsurfrules llms.txt
    makefile gnumakefile cmakelists.txt cmakepresets.json cmakeuserpresets.json dockerfile
    containerfile jenkinsfile vagrantfile codeowners procfile justfile rakefile gemfile podfile
    brewfile pipfile earthfile tiltfile snakefile taskfile.yml taskfile.yaml sconstruct sconscript
    wscript build workspace module meson.build build.gradle pom.xml binding.gyp configure
    configure.ac dune go.mod package.swift mix.exs build.rs
    conftest.py setup.py setup.cfg pyproject.toml pytest.ini tox.ini noxfile.py conf.py dodo.py
    fabfile.py tasks.py manage.py __main__.py hatch_build.py sitecustomize.py usercustomize.py
    distutils.cfg pip.conf hatch.toml ruff.toml mypy.ini pylintrc constraints.txt
    environment.yml environment.yaml flake.nix default.nix shell.nix
    package.json composer.json deno.json lerna.json tsconfig.json vercel.json now.json netlify.toml
    fly.toml app.yaml render.yaml sonar-project.properties
    action.yml action.yaml renovate.json dependabot.yml dependabot.yaml lefthook.yml lefthook.yaml
    pre-commit-config.yaml mkdocs.yml mkdocs.yaml
"""
_FOLDERS_ACTED_ON = frozenset(_FOLDERS_ACTED_ON_NAMES.split())
_FILES_ACTED_ON = frozenset(_FILES_ACTED_ON_NAMES.split())
_FORMS_ACTED_ON = re.compile(
    r"""(?:docker-)?compose(?:\..*)?\.ya?ml        # containers
      | (?:azure-pipelines|appveyor|bitbucket-pipelines|cloudbuild|wercker|circle|codemagic)
        \.(?:ya?ml|json)                           # continuous integration
      | (?:g?n?u?makefile|dockerfile|procfile|gemfile|pipfile)\..*
      | (?:build|workspace|module)\.(?:bazel|bzl)
      | requirements.*\.(?:txt|in)
      | (?:cargo|poetry|uv|yarn|bun|composer|flake|package-lock|pnpm-lock)
        \.(?:lock|lockb|toml|json|ya?ml)
      | (?!test_op\.py)test_.*\.py | .*_test\.py    # the one of a package is ours
      | .+\.config\.[cm]?[jt]s | (?:gulpfile|gruntfile)\.[cm]?[jt]s
    """,
    re.VERBOSE,
)
_SUFFIXES_ACTED_ON = (
    *(".pth", ".egg-link", ".egg-info", ".dist-info", ".code-workspace", ".lnk", ".desktop"),
    *(".url", ".scf", ".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".o", ".a"),
    *(".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".cmake", ".mk", ".am", ".bzl", ".lock"),
)
"""Of files, and of folders; nothing that is published ends so."""


class PathRefusedError(ValueError):
    """The name may not be written; the message says why, in one line."""


def check_path(path: str) -> tuple[str, ...]:
    """Return the parts of a plain relative path; raises `PathRefusedError`."""
    reason = _reason_against(path)
    if reason:
        raise PathRefusedError(f"{path[:80]!a} may not be written: {reason}")
    return tuple(path.split("/"))


def check_paths(paths: Iterable[str]) -> None:
    """Check every path, and that no two are one file, or a file and a folder, anywhere."""
    taken: dict[str, str] = {}
    for path in paths:
        parts = check_path(path)
        folded = path.lower()
        if folded in taken:
            raise PathRefusedError(
                f"{path[:80]!a} may not be written: it is {taken[folded][:80]!a} to some systems"
            )
        taken[folded] = path
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if taken.setdefault(f"{folder.lower()}/", folder) != folder:
                raise PathRefusedError(
                    f"{path[:80]!a} may not be written: its folder is there in another case"
                )
    for folded, path in taken.items():
        if f"{folded}/" in taken:
            raise PathRefusedError(f"{path[:80]!a} may not be written: it is a folder as well")


def _reason_against(path: str) -> str:
    if not path:
        return "it is empty"
    if any(not char.isprintable() for char in path):
        return "it holds a character that does not show"
    if not path.isascii():
        return "it holds characters that are not ASCII"
    if len(path) > MAX_PATH:
        return f"it is longer than {MAX_PATH} bytes"
    if path.startswith(("/", "~")) or "\\" in path or ":" in path:
        return "it is no path below the folder"
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        return f"it has more than {MAX_DEPTH} parts"
    if any(why := _reason_against_part(part) for part in parts):
        return why
    *folders, file = (part.lower() for part in parts)
    if _is_acted_on(file, is_file=True) or any(_is_acted_on(f, is_file=False) for f in folders):
        return "programs act on files of that name"
    return ""


def _reason_against_part(part: str) -> str:
    if part in ("", ".", ".."):
        return "it leaves the folder or has an empty part"
    if len(part) > MAX_PART:
        return f"a part is longer than {MAX_PART} bytes"
    if part.startswith("."):
        return "a part begins with a dot"
    if part.startswith("-"):
        return "a part begins with a dash"
    if part.endswith((".", " ")):
        return "a part ends with a dot or a space"
    if _SHORT_GIT.fullmatch(part):
        return "it is git's own folder to some systems"
    if _DEVICE.fullmatch(part):
        return "it is a device to some systems"
    return "" if _PART.fullmatch(part) else "it holds more than letters, digits, '_', '.' and '-'"


def _is_acted_on(name: str, is_file: bool) -> bool:
    if name in _FOLDERS_ACTED_ON or name.endswith(_SUFFIXES_ACTED_ON):
        return True
    is_form = _FORMS_ACTED_ON.fullmatch(name) is not None
    return is_file and (name in _FILES_ACTED_ON or is_form)
