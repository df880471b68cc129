"""Nothing that the pipeline writes holds a secret: every canary, every spelling, every sink."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

from rocm_pipeline.redaction.process import FINGERPRINTS_VARIABLE
from tests.conftest import RecordFigure
from tests.redaction.canaries import CANARIES, ENCODINGS

SINKS: Mapping[str, tuple[str, ...]] = {
    "journal and records": ("records.sqlite*",),
    "store": ("store/**/*",),
    "report": ("reports/**/*",),
    "alerts": ("alerts.log",),
    "logs": ("app.log",),
    "logs: traces": ("traces.log",),
    "logs: names of loggers": ("names.log",),
    "logs: names of threads": ("threads.log",),
    "logs: fields of callers": ("extra.log",),
    "SQL literals": ("literals.sqlite",),
    "SQL bytes": ("bytes.sqlite",),
    "event log (metadata, errors, log lines)": ("dagster/storage/**/*",),
    "compute logs": ("dagster/logs/**/*",),
    "work tree": ("worktrees/**/*",),
}
"""Files below the home, by what they are. Artefacts are links into the store."""
VALUES: Mapping[str, tuple[str, str]] = {
    "errors of attempts": ("records.sqlite", "SELECT error FROM attempts"),
    "planners": ("records.sqlite", "SELECT planner FROM plans"),
    "tags of runs": ("dagster/storage/history/runs.db", "SELECT value FROM run_tags"),
    "errors of steps": (
        "dagster/storage/history/runs/?*-*.db",
        "SELECT event FROM event_logs WHERE dagster_event_type = 'STEP_FAILURE'",
    ),
}
"""By what they are: a database and what asks it for them."""
ALERT_FIELDS = ("target", "step", "reason")


def _run(home: Path, variable: str, *more: str) -> dict[str, bytes]:
    """Return what each sink holds after a run in which everything tells the canaries."""
    keys = {variable.format(number): canary for number, canary in enumerate(CANARIES)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.redaction.leaky_run", str(home), *more],
        env={**os.environ, **keys, "ROCM_PIPELINE_REPOSITORY": "", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert b"Traceback" in done.stderr
    found = {
        sink: b"\n".join(_content(p) for pattern in patterns for p in _files(home, pattern))
        for sink, patterns in SINKS.items()
    }
    found |= {sink: _values(home, *asked) for sink, asked in VALUES.items()}
    found |= _of_alerts((home / "alerts.log").read_bytes())
    found |= _of_git(home / "repository")
    found["standard output"] = done.stdout
    found["standard output: errors"] = b"\n".join(re.findall(rb"^w: .*$", done.stdout, re.M))
    found["standard error"] = done.stderr
    found["everything else in the home"] = b"\n".join(
        _content(p) for p in _files(home, "**/*") if ".git" not in p.parts
    )
    return found


def _values(home: Path, pattern: str, query: str) -> bytes:
    values: list[bytes] = []
    for path in home.glob(pattern):
        with closing(sqlite3.connect(path)) as connection:
            values += [str(value).encode() for (value,) in connection.execute(query)]
    return b"\n".join(values)


def _of_alerts(lines: bytes) -> dict[str, bytes]:
    (line,) = map(json.loads, lines.splitlines())
    return {f"alerts: {field}": line[field].encode() for field in ALERT_FIELDS}


def _of_git(repository: Path) -> dict[str, bytes]:
    def said(*arguments: str) -> bytes:
        git = ["git", "-C", str(repository), *arguments]
        return subprocess.run(git, capture_output=True, check=True).stdout

    return {
        "commits and branches": said("log", "--all", "-p", "--format=raw"),
        "commit messages": said("log", "--all", "--format=%B"),
        **{
            f"branch: {name}": said("show", f"agent/t-0:kernels/row_softmax/{name}")
            for name in ("README.md", "pr.md")
        },
    }


def _files(home: Path, pattern: str) -> list[Path]:
    return [path for path in home.glob(pattern) if path.is_file()]


def _content(path: Path) -> bytes:
    """Return a file's bytes; of a database also its values, which its pages may cut in two."""
    data = path.read_bytes()
    if not data.startswith(b"SQLite format 3"):
        return data
    values: list[bytes] = [data]
    connection = sqlite3.connect(path)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            values += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    connection.close()
    return b"\n".join(values)


_PUNCTUATION = bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyz0123456789"))


def _bare(data: bytes) -> bytes:
    """Return the letters and digits alone: no punctuation or width of letters hides anything."""
    narrow = unicodedata.normalize("NFKC", data.decode("utf-8", "surrogateescape"))
    lowered = narrow.encode("utf-8", "surrogateescape").lower()
    return re.sub(rb"\\[nrt]", b"", lowered).translate(None, _PUNCTUATION)


def _unescaped(data: bytes) -> bytes:
    """Return `data` with the escapes of JSON, of JSON in JSON too, as the characters they are."""
    return re.sub(rb"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)).encode(), data)


class _Searched:
    """A content in the forms in which a spelling is looked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._bare = _bare(content)
        self._unescaped = _bare(_unescaped(content))

    def holds(self, spelled: bytes) -> bool:
        bare, unescaped = _forms(spelled)
        return spelled in self._content or bare in self._bare or unescaped in self._unescaped


@cache
def _forms(spelled: bytes) -> tuple[bytes, bytes]:
    return _bare(spelled), _bare(_unescaped(spelled))


SPELLED = {
    f"canary {number}, {name}": spell(canary).encode()
    for number, canary in enumerate(CANARIES)
    for name, spell in ENCODINGS.items()
}


def _found(content: bytes) -> list[str]:
    """Return which spellings of which canaries `content` holds."""
    searched = _Searched(content)
    return [name for name, spelled in SPELLED.items() if searched.holds(spelled)]


def test_no_secret_is_in_any_sink(tmp_path: Path, record_figure: RecordFigure) -> None:
    sinks = _run(tmp_path / "home", "CANARY_{}_TOKEN")
    leaks = {sink: _found(content) for sink, content in sinks.items()}
    record_figure("secrets", len(CANARIES))
    record_figure("encodings", len(ENCODINGS))
    for sink, found in leaks.items():
        record_figure("canaries", f"{sink}: {len(SPELLED)} checks, {len(found)} leaks")
    assert not any(leaks.values()), leaks

    # the control: an empty sink leaks nothing either
    for sink, content in sinks.items():
        assert content.count(b"[redacted]") >= len(CANARIES), sink

    # where an error is cut, no half of a secret is left
    said = sinks["standard output"]
    assert said.count(b"cut: - - ") == len(CANARIES)
    assert [canary for canary in CANARIES if canary[:5].encode() in said] == []


def test_secrets_that_nobody_knows_of_are_found_in_every_sink(tmp_path: Path) -> None:
    """The control: the same run leaks all of it when the variables are not named like secrets."""
    for sink, content in _run(tmp_path / "home", "CANARY_{}_TEXT", "unguarded").items():
        assert len(_found(content)) == len(SPELLED), sink


def test_the_search_finds_every_spelling_within_json() -> None:
    """The control of the search itself."""
    for canary in CANARIES:
        for spell in ENCODINGS.values():
            once = json.dumps({"x": spell(canary)})
            twice = json.dumps({"y": once})
            assert _Searched(once.encode()).holds(spell(canary).encode())
            assert _Searched(twice.encode()).holds(spell(canary).encode())


_CHILD = """
import json, os, subprocess, sys
from rocm_pipeline.redaction import process
process.withhold()
script = "import json,os;print(json.dumps([dict(os.environ), open('/proc/self/environ').read()]))"
print(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout)
"""


def test_a_child_inherits_fingerprints_and_no_secret() -> None:
    keys = {f"CANARY_{number}_KEY": canary for number, canary in enumerate(CANARIES)}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        env={**os.environ, **keys, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert FINGERPRINTS_VARIABLE in done.stdout
    for canary in CANARIES:
        for spell in ENCODINGS.values():
            assert spell(canary) not in done.stdout
    assert len(done.stdout) < 2 * 128 * 1024
