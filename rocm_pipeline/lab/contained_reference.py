"""A stranger's `reference.py`: run in the sandbox like everything else, a process for each batch.

What comes back are arrays from files; names, shapes, types and values are checked here.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.lab.sandbox import (
    Completed,
    Limits,
    ResultRefused,
    Sandbox,
    read_array,
    read_result,
    temporary_box,
)
from rocm_pipeline.targets.dtypes import Array

SECONDS = 60.0
"""For all requests of one batch."""
_PROGRAM = "/case_program.py"
_JOB = "/job"
_PACKAGES = "/packages"
_MEMORY_FACTOR = 64
_BASE_MEMORY = 2 << 30
_MOST_MEMORY = 8 << 30
_MOST_ARRAY = 1 << 30
_MOST_NAMES = 1 << 16
_MOST_SAID = 300


@dataclass(frozen=True)
class Request:
    """One call: `make_inputs(rng, values)` with a seed, or `reference(inputs, values)`."""

    values: Mapping[str, int | float]
    outputs: tuple[str, ...]
    """Names the answer must have, exactly these."""
    seed: int | None = None
    inputs: Mapping[str, Array] | None = None

    @property
    def function(self) -> str:
        return "reference" if self.seed is None else "make_inputs"


class ContainedReference:
    """The functions of one `reference.py`."""

    def __init__(self, sandbox: Sandbox, source: str, path: Path) -> None:
        self._sandbox = sandbox
        self._source = source
        self._path = path

    def ask(self, requests: Sequence[Request], where: str) -> list[dict[str, Array]]:
        """Return the answer to each request; a UserError says what is wrong with the file.

        `where` names the case in its words.
        """
        argv, readonly = _command()
        size = sum(a.nbytes for r in requests for a in (r.inputs or {}).values())
        limits = Limits(
            wall_seconds=SECONDS,
            cpu_seconds=int(SECONDS),
            memory_bytes=min(_BASE_MEMORY + _MEMORY_FACTOR * size, _MOST_MEMORY),
            file_bytes=_MOST_ARRAY,
            box_bytes=4 * _MOST_ARRAY,
        )
        with tempfile.TemporaryDirectory(prefix="reference-") as folder, temporary_box() as box:
            job = Path(folder) / "job"
            job.mkdir()
            self._write(job, requests)
            done = self._sandbox.run(
                argv,
                box=box,
                readonly={**readonly, _JOB: job},
                environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                limits=limits,
            )
            if done.returncode != 0:
                raise self.broken(f"fails on {where}: {_last_words(done)}")
            return [self._answer(box, number, r, where) for number, r in enumerate(requests)]

    def broken(self, what: str) -> UserError:
        return UserError(what, where=str(self._path), fix="Mend that file.")

    def _write(self, job: Path, requests: Sequence[Request]) -> None:
        (job / "reference.py").write_text(self._source, encoding="utf-8")
        described = [
            {
                "function": request.function,
                "values": dict(request.values),
                "seed": request.seed,
                "inputs": list(request.inputs or {}),
                "outputs": list(request.outputs),
            }
            for request in requests
        ]
        (job / "requests.json").write_text(json.dumps(described), encoding="utf-8")
        for number, request in enumerate(requests):
            for name, array in (request.inputs or {}).items():
                np.save(job / f"{number}.{name}.npy", array, allow_pickle=False)

    def _answer(self, box: Path, number: int, request: Request, where: str) -> dict[str, Array]:
        function = request.function
        try:
            names = json.loads(read_result(box, f"{number}.json", _MOST_NAMES))
        except (ResultRefused, ValueError, RecursionError) as error:
            raise self.broken(f"{function} leaves no answer on {where}") from error
        if not isinstance(names, list) or {str(name) for name in names} != set(request.outputs):
            wanted = ", ".join(sorted(request.outputs)) or "nothing"
            given = one_line(", ".join(sorted(map(str, names))), _MOST_SAID) or "nothing"
            raise self.broken(f"{function} returns {given}; case.json wants exactly {wanted}")
        try:
            return {n: read_array(box, f"{number}.{n}.npy", _MOST_ARRAY) for n in request.outputs}
        except ResultRefused as error:
            raise self.broken(f"{function} on {where} returns no plain array ({error})") from error


def _command() -> tuple[list[str], dict[str, Path]]:
    program = Path(str(files("rocm_pipeline.lab") / "inside" / "case_program.py"))
    packages = Path(np.__file__).resolve().parents[1]
    readonly = {_PROGRAM: program, _PACKAGES: packages}
    interpreter = Path(sys.executable).resolve()
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr"):
        # at its own path, because an interpreter may hold absolute paths to its libraries
        readonly[str(prefix)] = prefix
    return [str(interpreter), "-I", "-S", "-B", _PROGRAM, _JOB, _PACKAGES], readonly


def _last_words(done: Completed) -> str:
    if done.timed_out:
        return f"it took more than {SECONDS:g} seconds"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if not lines:
        return f"it ended with status {done.returncode} (out of memory, perhaps)"
    return one_line(lines[-1], _MOST_SAID)
