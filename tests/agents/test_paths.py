"""Names of files: what is refused, and that it is refused before anything is written."""

import itertools
import json
import os
import threading
import time
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.paths import PathRefusedError, check_path, check_paths
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.publishing.tree import write_files
from tests.scale import scaled

ACTED_ON = [
    "test_x.py", "x_test.py", "a/conftest.py", "BUILD", "BUILD.bazel", "WORKSPACE", "MODULE.bazel",
    "SConstruct", "docker-compose.yml", "compose.yaml", "action.yml", "CMakePresets.json",
    "x.cmake", "configure", "uv.lock", "Cargo.lock", "requirements-dev.txt", "x.so", "x.pyc",
    "x.sh", "x.ps1", "refs/heads/main", "objects/info/alternates", "config", "packed-refs",
    "index.lock", "gitattributes", "github/workflows/x.yml", "SKILL.md", "AGENTS.override.md",
    "copilot-instructions.md", "cursorrules", "makefile.am", "GNUmakefile.in", "Gemfile.lock",
    "azure-pipelines.yaml", "cloudbuild.json", "jest.config.js", "gulpfile.js", "mkdocs.yml",
    "conf.py", "tasks.py", "__main__.py", "x.dist-info/entry_points.txt", "default.nix",
]  # fmt: skip
REFUSED = [
    *ACTED_ON,
    "", "/", "/etc/passwd", "//x", "..", ".", "../x", "a/../x", "a/..", "a//b", "a/", "./x",
    "~/x", "~root", "C:\\x", "c:x", "a\\b", "\\\\server\\x", "file:stream", "x::$DATA",
    ".git/config", ".GIT/config", ".Git", "a/.git/hooks/x", "git~1/config", "GIT~2",
    ".g\u200cit/config", ".git\u200d", "\u2024git", ".gitmodules", ".gitattributes", ".gitignore",
    ".github/workflows/x.yml", ".gitlab-ci.yml", ".circleci/config.yml", ".claude/x", ".mcp.json",
    ".cursor/rules", ".env", ".npmrc", "AGENTS.md", "agents.md", "CLAUDE.md", "Gemini.md",
    "Makefile", "makefile", "CMakeLists.txt", "Dockerfile", "Jenkinsfile", "conftest.py",
    "setup.py", "pyproject.toml", "sitecustomize.py", "a/x.pth", "hooks/pre-commit", "HEAD",
    "package.json", "azure-pipelines.yml", "con", "CON.txt", "a/nul", "com1.hip", "LPT9", "aux.h",
    "-rf", "a/-x", "--upload-pack=x", "x.", "x ", " x", "a /b", "a./b", "x\n", "a\nb", "a\rb",
    "a\0b", "a\tb", "a\x1b[31mb", "\x7f", "a\u202eb", "\u0430.hip", "ker\u0301nel", "\uff4b.hip",
    "e\u0301", "\u00e9", "a" * 256, "/".join("a" * 20), "a/" * 600 + "b", "a*b", "a?b", "a|b",
    "a;b", "$(id)", "`id`", "a'b", 'a"b', "a b", "<x>", "%2e%2e/x", "x\ud800",
]  # fmt: skip


PASSED_BY_THE_SECOND_LOOK = ["__init__.py", "test_op.py", "torch.py", "numpy.py", "main.go", "a.b"]
"""What a package of ours holds, or no list of names can tell: the roles' lists refuse it."""


@pytest.mark.parametrize("path", REFUSED)
def test_a_dangerous_name_is_refused_in_one_line(path: str, tmp_path: Path) -> None:
    with pytest.raises(PathRefusedError) as error:
        check_path(path)
    assert "\n" not in str(error.value)
    assert str(error.value).isprintable()
    with pytest.raises(PathRefusedError):
        write_files(tmp_path, {"good.hip": "x", path: "x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", REFUSED)
def test_a_reply_with_such_a_name_holds_no_such_file(role: Role, path: str) -> None:
    reply = f"### FILE: {path}\n```\nowned\n```\n"
    try:
        files = parse(reply, allowed_files(role)).files
    except ReplyError as refused:
        files = ()
        words = str(refused)
    else:
        words = ""
    assert "\n" not in words
    assert {file.path for file in files} <= allowed_files(role)


def _whole_reply(role: Role, more: str, as_json: bool) -> str:
    """Return a reply with every file that `role` owes, and one more."""
    files = {more: "owned\n"} | dict.fromkeys(sorted(allowed_files(role)), "content\n")
    if as_json:
        return json.dumps({"files": [{"path": p, "text": t} for p, t in files.items()]})
    return "\n".join(f"### FILE: {path}\n```\n{text}```\n" for path, text in files.items())


@pytest.mark.parametrize("as_json", [False, True], ids=["markdown", "json"])
@pytest.mark.parametrize("role", Role)
def test_a_whole_reply_with_a_file_nobody_asked_for_is_refused_before_anything_is_written(
    role: Role, as_json: bool, tmp_path: Path
) -> None:
    def take(more: str) -> None:
        reply = parse(_whole_reply(role, more, as_json), allowed_files(role))
        write_files(tmp_path, {file.path: file.text for file in reply.files})

    for path in (*ACTED_ON, *PASSED_BY_THE_SECOND_LOOK):
        with pytest.raises(ReplyError) as error:
            take(path)
        assert "\n" not in str(error.value)
        assert list(tmp_path.iterdir()) == []
    own = min(allowed_files(role))
    take(own)
    assert {file.name for file in tmp_path.iterdir()} == allowed_files(role)


@pytest.mark.parametrize("path", PASSED_BY_THE_SECOND_LOOK)
def test_what_the_second_look_lets_pass_is_known(path: str) -> None:
    """The control: without a role's list these would be taken."""
    assert "/".join(check_path(path)) == path


@pytest.mark.parametrize("target", ["head", "config", "build", "module", "configure", "tasks"])
def test_a_target_may_be_called_like_a_file_that_is_refused(target: str) -> None:
    assert check_path(f"kernels/{target}/{target}_op/test_op.py")


@pytest.mark.parametrize(
    "path", ["kernel.hip", "src/kernel.hip", "a/b_c/d-e.f.txt", "row_softmax_op/op.py"]
)
def test_a_plain_name_is_taken(path: str) -> None:
    assert "/".join(check_path(path)) == path


@pytest.mark.parametrize(
    "paths",
    [("a.hip", "A.hip"), ("x/a", "X/b"), ("a", "a/b"), ("a/b", "A"), ("d/x", "d/X"), ("a", "a")],
)
def test_two_names_of_one_file_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(PathRefusedError):
        check_paths(paths)


SEGMENT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["..", ".", "", ".git", ".GIT", "git~1", "a", "kernel.hip", "con", "-x"]),
)


@settings(max_examples=scaled(short=300, long=10_000), deadline=None)
@given(st.lists(SEGMENT, max_size=5).map("/".join))
def test_a_name_that_is_taken_stays_below_the_folder_and_is_like_no_other(path: str) -> None:
    try:
        parts = check_path(path)
    except PathRefusedError:
        return
    root = Path("/somewhere")
    assert Path(os.path.normpath(root / path)).is_relative_to(root)
    assert len(parts) == path.count("/") + 1
    assert all(unicodedata.normalize(form, path) == path for form in ("NFC", "NFD", "NFKC", "NFKD"))
    assert not any(part.lower().startswith((".", "-", "git~")) for part in parts)
    with pytest.raises(PathRefusedError):
        check_paths([path, path.swapcase(), path.lower()])


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "kernels").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="something else stands where"):
        write_files(tmp_path / "tree", {"kernels/kernel.hip": "owned"})
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("precious")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "kernel.hip").symlink_to(tmp_path / "secret")
    write_files(tmp_path / "tree", {"kernel.hip": "new"})
    assert (tmp_path / "secret").read_text() == "precious"
    assert (tmp_path / "tree" / "kernel.hip").read_text() == "new"
    assert not (tmp_path / "tree" / "kernel.hip").is_symlink()


@pytest.mark.parametrize("in_the_way", ["fifo", "folder"])
def test_what_is_no_file_is_not_written_to(tmp_path: Path, in_the_way: str) -> None:
    place = tmp_path / "kernel.hip"
    if in_the_way == "fifo":
        os.mkfifo(place)
        write_files(tmp_path, {"kernel.hip": "new"})
        assert place.read_text() == "new"
    else:
        place.mkdir()
        with pytest.raises(UserError, match="something else stands"):
            write_files(tmp_path, {"kernel.hip": "new"})
    assert [p.name for p in tmp_path.iterdir()] == ["kernel.hip"]


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    """A thread swaps a folder for a link to the outside and back while files are written."""
    tree, outside, real = tmp_path / "tree", tmp_path / "outside", tmp_path / "tree" / "a"
    outside.mkdir()
    real.mkdir(parents=True)
    stop = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        for turn in itertools.count():
            if stop.is_set():
                return
            # the writer makes the folder anew whenever it finds none, so each step may fail
            with suppress(OSError):
                os.symlink(outside, tree / "link")
            with suppress(OSError):
                os.rename(real, tree / f"aside{turn}")  # a name of its own: a full folder stays
            with suppress(OSError):
                os.rename(tree / "link", real)
                swaps += 1
            with suppress(OSError):
                os.unlink(real)

    thread = threading.Thread(target=swap)
    thread.start()
    refused = 0
    try:
        least, end = scaled(short=300, long=3000), time.monotonic() + 90
        number = 0
        # on a busy machine the other thread may hardly run while this one has written them all
        while number < least or ((swaps <= 10 or not refused) and time.monotonic() < end):
            number += 1
            try:
                write_files(tree, {f"a/b/{number}.hip": "x"})
            except (UserError, FileNotFoundError):
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert swaps > 10
    assert refused, "no swap fell into a write"
    assert list(outside.rglob("*")) == []
