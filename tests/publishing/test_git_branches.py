"""Branches, snapshots and the example repository, on real git."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.branch import branch_name, commit_files
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.publishing.git import Git
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

KERNEL = "kernels/row_softmax/kernel.hip"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    ensure_example(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return library.load("row_softmax", tmp_path)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=A Person", "-c", "user.email=person@example.org", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit(folder: Path, path: str, text: str) -> str:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", f"change {path}")
    return git(folder, "rev-parse", "HEAD").strip()


def propose(repo: Path, tmp_path: Path, text: str = "new kernel", branch: str = "") -> str:
    name = branch or branch_name("row_softmax", "k-0123")
    base = repository.head(repo)
    return commit_files(repo, tmp_path / "tree", name, base, {KERNEL: text}, "a kernel")


def test_the_example_is_the_same_commit_everywhere(tmp_path: Path) -> None:
    ensure_example(tmp_path / "a")
    ensure_example(tmp_path / "b")
    assert repository.head(tmp_path / "a") == repository.head(tmp_path / "b")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    ensure_example(tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []


def test_a_snapshot_holds_the_watched_files_alone(repo: Path, target: Target) -> None:
    assert list(repository.snapshot(repo, target).files) == [KERNEL]


def test_a_commit_elsewhere_leaves_the_snapshot_as_it_was(repo: Path, target: Target) -> None:
    before = repository.snapshot(repo, target)
    commit(repo, "elsewhere.txt", "x")
    assert repository.snapshot(repo, target) == before


def test_a_commit_to_a_watched_file_changes_the_snapshot(repo: Path, target: Target) -> None:
    made = commit(repo, KERNEL, "// new")
    found = repository.snapshot(repo, target)
    assert found.commit == made
    assert found.files[KERNEL] == "// new"


def test_the_snapshot_is_of_the_commit_not_of_the_working_tree(repo: Path, target: Target) -> None:
    (repo / KERNEL).write_text("uncommitted")
    assert repository.snapshot(repo, target).files[KERNEL] != "uncommitted"


def test_large_and_binary_files_are_left_out_with_the_reason(repo: Path, target: Target) -> None:
    commit(repo, "kernels/row_softmax/large.hip", "x" * 200_000)
    (repo / "kernels/row_softmax/data.hip").write_bytes(b"\0\1\2")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "-m", "binary")
    found = repository.snapshot(repo, target)
    assert list(found.files) == [KERNEL]
    assert len(found.left_out) == 2


def test_a_file_that_is_not_utf_8_is_left_out_with_the_reason(repo: Path, target: Target) -> None:
    (repo / "kernels/row_softmax/latin.hip").write_bytes(b"// caf\xe9\n")
    (repo / "kernels/row_softmax/marked.hip").write_text("// \ufffd")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "-m", "bytes")
    found = repository.snapshot(repo, target)
    assert sorted(found.files) == [KERNEL, "kernels/row_softmax/marked.hip"]
    assert found.left_out == ("kernels/row_softmax/latin.hip: not text",)
    found.model_dump_json()


def test_a_file_whose_name_is_not_utf_8_is_left_out_and_still_watched(
    repo: Path, target: Target
) -> None:
    before = repository.head(repo)
    (repo / os.fsdecode(b"kernels/row_softmax/caf\xe9.hip")).write_text("// new")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "-m", "a name")
    found = repository.snapshot(repo, target)
    assert list(found.files) == [KERNEL]
    assert found.left_out == ("kernels/row_softmax/caf\\xe9.hip: its name is not UTF-8",)
    assert found.commit == repository.head(repo)
    changed = repository.changed_files(repo, before, found.commit)
    assert repository.watched(target, changed)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("kernels/*.hip", "kernels/a.hip", True),
        ("kernels/*.hip", "kernels/deep/a.hip", False),
        ("kernels/**/*.hip", "kernels/a.hip", True),
        ("kernels/**/*.hip", "kernels/deep/er/a.hip", True),
        ("kernels/**", "kernels/deep/a.md", True),
        ("kernels/a?.hip", "kernels/ab.hip", True),
        ("kernels/a.hip", "kernels/aXhip", False),
        ("[k]*", "kernels", False),
    ],
)
def test_a_watch_pattern_matches_within_folders_unless_doubled(
    target: Target, pattern: str, path: str, matches: bool
) -> None:
    watching = target.model_copy(update={"watch": (pattern,)})
    assert repository.watched(watching, [path]) == ([path] if matches else [])


def test_a_folder_without_git_is_refused(tmp_path: Path, target: Target) -> None:
    with pytest.raises(UserError, match="no git repository"):
        repository.snapshot(tmp_path, target)


def test_the_same_files_on_the_same_base_are_the_same_commit(repo: Path, tmp_path: Path) -> None:
    assert propose(repo, tmp_path) == propose(repo, tmp_path)
    assert git(repo, "branch", "--list", "agent/*").count("agent/") == 1
    assert (tmp_path / "tree" / KERNEL).read_text() == "new kernel"


def test_the_working_tree_and_head_of_the_repository_are_untouched(
    repo: Path, tmp_path: Path
) -> None:
    before = git(repo, "status", "--porcelain"), git(repo, "symbolic-ref", "HEAD")
    propose(repo, tmp_path)
    assert (git(repo, "status", "--porcelain"), git(repo, "symbolic-ref", "HEAD")) == before


def test_a_branch_with_a_commit_of_someone_else_is_never_overwritten(
    repo: Path, tmp_path: Path
) -> None:
    propose(repo, tmp_path)
    theirs = commit(tmp_path / "tree", "note.txt", "mine")
    with pytest.raises(UserError, match="commits that are not ours"):
        propose(repo, tmp_path, "another kernel")
    assert git(repo, "rev-parse", branch_name("row_softmax", "k-0123")).strip() == theirs


def test_worktrees_of_a_person_whose_folder_is_away_stay_known(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "--quiet", "-b", "theirs", str(tmp_path / "theirs"))
    (tmp_path / "theirs").rename(tmp_path / "away")
    propose(repo, tmp_path)
    shutil.rmtree(tmp_path / "tree")
    propose(repo, tmp_path, "another kernel")
    (tmp_path / "away").rename(tmp_path / "theirs")
    assert git(tmp_path / "theirs", "symbolic-ref", "HEAD").strip() == "refs/heads/theirs"
    assert git(repo, "worktree", "list", "--porcelain").count("worktree ") == 3


@pytest.mark.parametrize("folder_is_gone", [False, True])
def test_a_branch_that_is_checked_out_elsewhere_is_refused_and_nothing_is_deleted(
    repo: Path, tmp_path: Path, folder_is_gone: bool
) -> None:
    propose(repo, tmp_path)
    git(tmp_path / "tree", "checkout", "--quiet", "--detach")
    name = branch_name("row_softmax", "k-0123")
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "theirs"), name)
    if folder_is_gone:
        shutil.rmtree(tmp_path / "theirs")
    before = git(repo, "for-each-ref")
    with pytest.raises(UserError, match="is checked out there") as raised:
        propose(repo, tmp_path, "another kernel")
    assert raised.value.where == str(tmp_path / "theirs")
    assert (tmp_path / "tree" / KERNEL).read_text() == "new kernel"
    assert git(repo, "for-each-ref") == before


def test_an_error_quotes_git_alone(repo: Path) -> None:
    with pytest.raises(UserError) as raised:
        Git(repo).run("cat-file", "-s", "nothing")
    assert raised.value.what == ("`git cat-file` failed (fatal: Not a valid object name nothing)")


def test_a_worktree_of_another_repository_is_replaced(repo: Path, tmp_path: Path) -> None:
    ensure_example(tmp_path / "other")
    propose(tmp_path / "other", tmp_path)
    propose(repo, tmp_path)
    assert git(tmp_path / "tree", "rev-parse", "--git-common-dir").strip() == str(repo / ".git")


@pytest.mark.parametrize(
    "path",
    [
        "../up",
        "/etc/x",
        ".git/hooks/pre-commit",
        "a/.git/config",
        ".GIT/config",
        "a/../../b",
        "-rf",
        "a b",
        "new\nline",
        "a/\u202ebidi",
        "",
        ".gitmodules",
    ],
)
def test_a_path_that_leaves_the_folder_or_names_git_is_refused(
    repo: Path, tmp_path: Path, path: str
) -> None:
    before = git(repo, "for-each-ref")
    with pytest.raises(ValueError, match="may not be written"):
        commit_files(repo, tmp_path / "tree", "agent/x", "HEAD", {path: "x"}, "m")
    assert git(repo, "for-each-ref") == before
    assert not (tmp_path / "tree").exists()


def test_programs_named_by_the_repository_are_not_run(repo: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    for hook in ("pre-commit", "post-commit", "post-checkout"):
        (repo / ".git/hooks" / hook).write_text(script.read_text())
        (repo / ".git/hooks" / hook).chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(script))
    git(repo, "config", "core.hooksPath", str(repo / ".git/hooks"))
    propose(repo, tmp_path)
    assert not marker.exists()
    git(repo, "status")  # the control: git with the repository's own settings does run it
    assert marker.exists()


def test_a_variable_that_steers_git_does_not_leak_in(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert len(repository.head(repo)) == 40


def test_commits_are_listed_oldest_first_and_a_rewritten_history_is_seen(repo: Path) -> None:
    first = repository.head(repo)
    second = commit(repo, "a.txt", "1")
    third = commit(repo, "a.txt", "2")
    assert repository.commits_after(repo, first, limit=10) == [second, third]
    assert repository.commits_after(repo, first, limit=1) == [third]
    assert repository.changed_files(repo, first, third) == ["a.txt"]
    git(repo, "reset", "--quiet", "--hard", first)
    assert not repository.is_ancestor(repo, third, repository.head(repo))


@pytest.mark.parametrize("kernel", ["k-../x", "k-" + "a" * 100, "k-a b", "k-.lock"])
def test_a_branch_name_is_plain(kernel: str) -> None:
    with pytest.raises(ValueError, match="no name for a branch"):
        branch_name("t", kernel)
