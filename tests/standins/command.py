"""The command: as the script of that name, and forked where what it imports is loaded already."""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol

COMMAND = str(Path(sys.executable).with_name("rocm-pipeline"))

_LOADED = (
    "dagster",
    "rocm_pipeline.cli",
    "rocm_pipeline.preflight",
    "rocm_pipeline.doctor",
    "rocm_pipeline.records.lineage",
    # and not `schedules`, which reads the environment when it is imported
    "rocm_pipeline.automation.nights",
)
_SECONDS = 120
"""For one call; what takes longer is ended."""


class Call(Protocol):
    """Run the command with a clean environment and return what it printed."""

    def __call__(
        self, *arguments: str, home: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]: ...


def by_script(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, which takes seconds for its imports."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=_clean(home, environment),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


@contextmanager
def forked_commands() -> Generator[Call, None, None]:
    """Start a server of commands; it ends when this is left, or with this process."""
    with subprocess.Popen(
        # isolated, so that no folder of the tests hides a library
        [sys.executable, "-I", __file__],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        requests, answers = server.stdin, server.stdout
        assert requests is not None
        assert answers is not None

        def call(
            *arguments: str, home: Path, **environment: str
        ) -> subprocess.CompletedProcess[str]:
            with tempfile.TemporaryDirectory() as folder:
                printed = [Path(folder, name) for name in ("stdout", "stderr")]
                asked = (arguments, _clean(home, environment), [str(path) for path in printed])
                requests.write(json.dumps(asked) + "\n")
                requests.flush()
                returncode = int(answers.readline())
                words = [path.read_text(encoding="utf-8") for path in printed]
            return subprocess.CompletedProcess([COMMAND, *arguments], returncode, *words)

        yield call


def _clean(home: Path, environment: dict[str, str]) -> dict[str, str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(home.parent)}
    return {**variables, "ROCM_PIPELINE_HOME": str(home), **environment}


def _serve() -> None:
    for name in _LOADED:
        import_module(name)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(arguments: list[str], environment: dict[str, str], printed: list[str]) -> NoReturn:
    """Be the command, in the forked process; its end takes down nothing that was loaded."""
    signal.alarm(_SECONDS)
    for number, path in enumerate((os.devnull, *printed)):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [COMMAND, *arguments]
    code: object = None
    try:
        import_module("rocm_pipeline.cli").main()
    except SystemExit as end:
        code = end.code
    assert code is None or isinstance(code, int), code
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    _serve()
