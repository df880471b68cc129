"""What a planner is told beside a target's watched files: history, headers and callers."""

import subprocess
from pathlib import Path

import pytest

from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.example import ensure_example
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


def git(repo: Path, *arguments: str, stdin: str | None = None) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    done = subprocess.run(
        command, cwd=repo, input=stdin, capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip()


def commit(repo: Path, path: str, message: str) -> str:
    with (repo / path).open("a") as file:
        file.write("// more\n")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", f"--message={message}", "--cleanup=verbatim")
    return git(repo, "rev-parse", "HEAD")


def test_commits_come_newest_first_with_the_watched_files_they_touched(
    repo: Path, target: Target
) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = commit(repo, KERNEL, "Read once\n\nlong story")
    commit(repo, "README.md", "Elsewhere")
    found = repository.history(repo, repository.snapshot(repo, target))
    assert [(one.sha, one.subject, one.files) for one in found] == [
        (second, "Read once", (KERNEL,)),
        (first, "Plain kernels to start from", (KERNEL,)),
    ]
    assert found[1].date == "2026-01-01"


def test_commits_elsewhere_change_nothing(repo: Path, target: Target) -> None:
    before = repository.history(repo, repository.snapshot(repo, target))
    commit(repo, "README.md", "Elsewhere")
    assert repository.history(repo, repository.snapshot(repo, target)) == before


def test_a_subject_with_control_characters_is_one_plain_line(repo: Path, target: Target) -> None:
    commit(repo, KERNEL, "a\x01b\x02c\x1b[2Jd" + "x" * 9000)
    newest = repository.history(repo, repository.snapshot(repo, target))[0]
    assert newest.subject.startswith("a b c [2Jd")
    assert newest.subject.isprintable()
    assert len(newest.subject) <= repository.MAX_SUBJECT


def test_there_are_at_most_so_many(repo: Path, target: Target) -> None:
    for number in range(repository.MAX_COMMITS + 2):
        commit(repo, KERNEL, f"Change {number}")
    found = repository.history(repo, repository.snapshot(repo, target))
    assert len(found) == repository.MAX_COMMITS


def test_without_watched_files_there_is_no_history(repo: Path, target: Target) -> None:
    unwatched = target.model_copy(update={"watch": ()})
    assert repository.history(repo, repository.snapshot(repo, unwatched)) == ()


def test_a_signature_is_not_given_to_the_program_that_the_repository_names(
    repo: Path, target: Target, tmp_path: Path
) -> None:
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    commit(repo, KERNEL, "Signed")
    raw = git(repo, "cat-file", "commit", "HEAD")
    head, _, message = raw.partition("\n\n")
    begin, end = (f"-----{word} PGP SIGNATURE-----" for word in ("BEGIN", "END"))
    signed = f"{head}\ngpgsig {begin}\n \n x\n {end}\n\n{message}\n"
    sha = git(repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed)
    git(repo, "update-ref", "HEAD", sha)
    git(repo, "config", "gpg.program", str(program))
    git(repo, "config", "log.showSignature", "true")
    found = repository.history(repo, repository.snapshot(repo, target))
    assert found[0].sha == sha
    assert not ran.exists()
    git(repo, "log", "-1")
    assert ran.exists(), "the trap does not work"


def test_headers_and_callers_join_the_snapshot_and_agree_with_its_commit(
    repo: Path, target: Target
) -> None:
    (repo / "include").mkdir()
    files = {
        "include/tile.h": '#include "more.h"\n',
        "include/more.h": '#include "tile.h"\n',
        "bench.cpp": "void run() { row_softmax_f32(x, y, 1, 2); }\n",
        "other.cpp": "void row_softmax_f32_other();\n",
        KERNEL: '#include "../../include/tile.h"\n' + target.baseline.source,
    }
    for path, text in files.items():
        (repo / path).write_text(text)
    commit(repo, KERNEL, "Tiles")
    (repo / "bench.cpp").write_text("row_softmax_f32 was here\n")
    commit(repo, "README.md", "Later")
    plain = repository.snapshot(repo, target)
    found = repository.with_related(repo, target, plain)
    assert list(found.files) == [KERNEL, "include/tile.h", "include/more.h", "bench.cpp"]
    assert found.files["bench.cpp"] == files["bench.cpp"].strip()
    assert (found.commit, found.left_out) == (plain.commit, ())


def test_what_is_related_keeps_the_limits_of_a_snapshot(repo: Path, target: Target) -> None:
    (repo / "big.cpp").write_text("// row_softmax_f32\n" * repository.MAX_BYTES)
    commit(repo, KERNEL, "Big")
    found = repository.with_related(repo, target, repository.snapshot(repo, target))
    assert list(found.files) == [KERNEL]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("big.cpp: ")


def test_where_nothing_is_related_the_snapshot_stays_as_it_is(repo: Path, target: Target) -> None:
    plain = repository.snapshot(repo, target)
    assert repository.with_related(repo, target, plain) == plain
