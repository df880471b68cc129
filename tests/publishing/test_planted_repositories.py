"""A repository that names programs for git to run: none of them runs."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.branch import branch_name, commit_files
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.publishing.git import Git, environment
from rocm_pipeline.targets import library

FILE = "kernels/row_softmax/kernel.hip"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    ensure_example(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that leaves a mark when it runs, and passes on what it is given."""
    script = tmp_path / "program"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\ncat\n")
    script.chmod(0o755)
    return script


def _config(repo: Path, *settings: str) -> None:
    for setting in settings:
        key, _, value = setting.partition("=")
        _git(repo, "config", key, value)


def _git(repo: Path, *arguments: str, check: bool = True, seconds: float = 30) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    done = subprocess.run(
        command, cwd=repo, capture_output=True, text=True, check=check, timeout=seconds
    )
    return done.stdout


def _filters(repo: Path, program: Path) -> None:
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("* filter=bad diff=bad merge=bad.na.me\n")
    _config(
        repo,
        f"filter.bad.clean={program}",
        f"filter.bad.smudge={program}",
        "filter.bad.required=true",
        f"diff.bad.textconv={program}",
        f"diff.bad.command={program}",
        f"merge.bad.na.me.driver={program}",
    )


def _process_filter(repo: Path, program: Path) -> None:
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("* filter=p.with.dots\n")
    _config(repo, f"filter.p.with.dots.process={program}")


def _hooks(repo: Path, program: Path) -> None:
    hooks = repo / "hooks-here"
    hooks.mkdir()
    for name in ("pre-commit", "post-commit", "post-checkout", "post-index-change", "commit-msg",
                 "prepare-commit-msg", "reference-transaction", "pre-auto-gc"):  # fmt: skip
        (hooks / name).symlink_to(program)
    _config(repo, f"core.hooksPath={hooks}")


def _monitor(repo: Path, program: Path) -> None:
    _config(repo, f"core.fsmonitor={program}")


def _included(repo: Path, program: Path) -> None:
    other = repo.parent / "included"
    other.write_text(f'[filter "inc"]\n\tsmudge = {program}\n\tclean = {program}\n')
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("* filter=inc\n")
    _config(repo, f"include.path={other}")


def _tools(repo: Path, program: Path) -> None:
    _config(
        repo,
        f"core.sshCommand={program}", f"core.pager={program}", f"core.editor={program}",
        f"gpg.program={program}", "commit.gpgSign=true", f"credential.helper={program}",
        f"diff.external={program}", f"core.askPass={program}", f"alias.log=!{program}",
    )  # fmt: skip


TRAPS: dict[str, Callable[[Path, Path], None]] = {
    "filters and textconv": _filters,
    "a filter process": _process_filter,
    "hooks": _hooks,
    "fsmonitor": _monitor,
    "an included file": _included,
    "tools": _tools,
}


@pytest.mark.parametrize("trap", TRAPS)
def test_no_program_of_the_repository_runs(
    trap: str, repo: Path, program: Path, tmp_path: Path
) -> None:
    target = library.load("row_softmax", tmp_path)
    base = repository.head(repo)
    TRAPS[trap](repo, program)
    (tmp_path / "ran").unlink(missing_ok=True)
    repository.history(
        repo, repository.with_related(repo, target, repository.snapshot(repo, target))
    )
    repository.commits_after(repo, None, 10)
    repository.changed_files(repo, base, base)
    name = branch_name("row_softmax", "k-01")
    commit_files(repo, tmp_path / "tree", name, base, {FILE: "// new\n"}, "a kernel")
    assert not (tmp_path / "ran").exists()
    assert _git(repo, "cat-file", "blob", f"{name}:{FILE}") == "// new\n"


@pytest.mark.parametrize("trap", [name for name in TRAPS if name != "tools"])
def test_with_the_repositorys_own_settings_it_does_run(
    trap: str, repo: Path, program: Path, tmp_path: Path
) -> None:
    """The control: the traps work."""
    TRAPS[trap](repo, program)
    (repo / "README.md").write_text("changed")
    for command in (
        ["status"],
        ["add", "README.md"],
        ["checkout", "-f", "."],
        ["commit", "-m", "x"],
    ):
        # git sometimes waits for ever for a filter process that speaks no protocol: it has run then
        with suppress(subprocess.TimeoutExpired):
            _git(repo, *command, check=False, seconds=5)
        if (tmp_path / "ran").exists():
            return
    pytest.fail("none of the commands ran the program")


def test_a_git_folder_that_points_elsewhere_in_the_work_tree_is_made_anew(
    repo: Path, tmp_path: Path, program: Path
) -> None:
    base = repository.head(repo)
    arguments = (repo, tmp_path / "tree", "agent/x", base)
    commit_files(*arguments, {FILE: "// one\n"}, "a kernel")
    ensure_example(tmp_path / "evil")
    _monitor(tmp_path / "evil", program)
    (tmp_path / "tree/.git").write_text(f"gitdir: {tmp_path / 'evil/.git'}\n")
    commit_files(*arguments, {FILE: "// two\n"}, "a kernel")
    assert not (tmp_path / "ran").exists()
    assert _git(repo, "cat-file", "blob", f"agent/x:{FILE}") == "// two\n"


def test_a_bare_repository_inside_the_tree_is_not_used(repo: Path, program: Path) -> None:
    inner = repo / "inner"
    inner.mkdir()
    _git(inner, "init", "--quiet", "--bare")
    _git(inner, "config", "core.bare", "false")
    _git(inner, "config", "core.worktree", "..")
    _monitor(inner, program)
    with pytest.raises(UserError, match="bare repository"):
        Git(inner).run("status")
    assert not (repo.parent / "ran").exists()


def test_a_link_in_the_commit_is_no_way_out(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (repo / "kernels").rename(repo / "was")
    (repo / "kernels").symlink_to(tmp_path / "outside")
    _git(repo, "add", "--all")
    _git(repo, "commit", "--quiet", "-m", "a link")
    with pytest.raises(UserError, match="something else stands where"):
        commit_files(repo, tmp_path / "tree", "agent/x", repository.head(repo), {FILE: "x"}, "m")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/x.yml", "README.md", "kernels/row_softmax/setup.py",
        "kernels/row_softmax/run.sh", "kernels/row_softmax/../x", "kernels/Row/kernel.hip",
        "kernels/row_softmax/other_op/op.py", "LICENSE", "kernels/row_softmax/x.so",
    ],
)  # fmt: skip
def test_a_file_that_is_no_part_of_a_proposal_is_refused(
    repo: Path, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ValueError, match="may not be written"):
        commit_files(repo, tmp_path / "tree", "agent/x", "HEAD", {path: "x"}, "m")
    assert not (tmp_path / "tree").exists()


def test_nothing_can_be_fetched() -> None:
    variables = environment()
    assert variables["GIT_ALLOW_PROTOCOL"] == "none"
    assert variables["GIT_NO_LAZY_FETCH"] == "1"
    assert not [name for name in variables if "TOKEN" in name or "KEY" in name.split("_")[0]]


@pytest.mark.parametrize(
    "kernel", ["k--x", "k-a\nb", "k-\u202e", "k-a~b", "k-a^", "k-a:b", "k-@{x", "k-a\\b", "k-*"]
)
def test_a_hostile_branch_name_is_refused(kernel: str) -> None:
    with pytest.raises(ValueError, match="no name for a branch"):
        branch_name("--upload-pack=x" if kernel == "k--x" else "t", kernel)
