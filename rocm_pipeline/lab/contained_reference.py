"""A stranger's `reference.py`: run in the sandbox like everything else, a process for each batch.

What comes back are arrays from files; names, shapes, types and values are checked here. A batch
shares one process, so what a function keeps between calls could reach the next answer: the first
answer of a batch that must be repeatable is asked for again at its end, and must be the same.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.lab.emulator.job import bare_interpreter
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

_PROGRAM = "/case_program.py"
_JOB = "/job"
_PACKAGES = "/packages"
_MOST_ARRAY = 1 << 30
_MOST_NAMES = 1 << 16
_MOST_SAID = 300
_SAME = 1e-9
"""Relative difference of two answers to one question: memory at another address adds in another
order, and nothing more may differ."""


@dataclass(frozen=True)
class Bounds:
    """What the process of one batch may use."""

    seconds: float
    """For all requests of a batch; one that is cut off by others is asked again, alone."""
    memory_bytes: int
    """Beside the room for its arguments; the interpreter takes about 100 MiB of it."""
    memory_factor: int
    """Room for temporary arrays, in units of the largest arguments of a request."""


GIVEN = Bounds(seconds=60.0, memory_bytes=2 << 30, memory_factor=64)
"""For sizes that an author gave, and small ones."""
EXTRA = Bounds(seconds=20.0, memory_bytes=512 << 20, memory_factor=16)
"""For large sizes of the harness's own: arrays of a few million elements, as many as the
operations that a large case may have. A reference that needs more does more than it seems, as the
kernel will: the square of a size, say."""
_MOST_MEMORY = 8 << 30


@dataclass(frozen=True)
class Request:
    """One call: `make_inputs(rng, values)` with a seed, or `reference(inputs, values)`."""

    values: Mapping[str, int | float]
    outputs: tuple[str, ...]
    """Names the answer must have, exactly these."""
    where: str
    """The case in its words."""
    seed: int | None = None
    inputs: Mapping[str, Array] | None = None

    @property
    def function(self) -> str:
        return "reference" if self.seed is None else "make_inputs"

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in (self.inputs or {}).values())


Answer = dict[str, Array]


class _Said(BaseModel):
    """What the program leaves about one request, as far as a stranger's file can be believed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    names: list[str] | None = None
    failed: str | None = None


class ContainedReference:
    """The functions of one `reference.py`."""

    def __init__(self, sandbox: Sandbox, source: str, path: Path) -> None:
        self._sandbox = sandbox
        self._source = source
        self._path = path

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answer to each request; a UserError says what is wrong with the file."""
        found: list[Answer] = []
        while len(found) < len(requests):
            for answer in self._batch(requests[len(found) :], GIVEN):
                if isinstance(answer, UserError):
                    raise answer
                found.append(answer)
        return found

    def try_each(self, requests: Sequence[Request], bounds: Bounds) -> list[Answer | UserError]:
        """Return for each request its answer, or what kept it from being one."""
        found: list[Answer | UserError] = []
        while len(found) < len(requests):
            found += self._batch(requests[len(found) :], bounds)
        return found

    def ask_repeatably(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answer to each request, and refuse a file that answers differently later."""
        if not requests:
            return []
        first = requests[0]
        *found, again = self.ask([*requests, first])
        for name, array in found[0].items():
            if not _same(array, again[name]):
                raise self.broken(
                    f"{first.function} answers differently the second time in '{name}' on "
                    f"{first.where}; let it depend on its arguments alone"
                )
        return found

    def broken(self, what: str) -> UserError:
        return UserError(what, where=str(self._path), fix="Mend that file.")

    def _batch(self, requests: Sequence[Request], bounds: Bounds) -> list[Answer | UserError]:
        """Run one process; return what came of the requests that it ended, at least of the first.

        Only the first has had all of the time and memory, so only it is blamed for their end.
        """
        argv, readonly = command()
        largest = max(request.bytes for request in requests)
        limits = Limits(
            wall_seconds=bounds.seconds,
            cpu_seconds=int(bounds.seconds),
            memory_bytes=min(bounds.memory_bytes + bounds.memory_factor * largest, _MOST_MEMORY),
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
            said = _last_words(done, bounds)
            if done.returncode != 0 and not (box / "loaded").exists():
                raise self.broken(f"fails on {requests[0].where}: {said}")
            found: list[Answer | UserError] = []
            for number, request in enumerate(requests):
                if done.returncode != 0 and not (box / f"{number}.json").exists():
                    break
                found.append(self._answer(box, number, request))
        if not found:
            found.append(self.broken(f"fails on {requests[0].where}: {said}"))
        return found

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

    def _answer(self, box: Path, number: int, request: Request) -> Answer | UserError:
        function, where = request.function, request.where
        try:
            said = _Said.model_validate_json(read_result(box, f"{number}.json", _MOST_NAMES))
        except (ResultRefused, ValidationError):
            return self.broken(f"{function} leaves no answer on {where}")
        if said.names is None:
            words = one_line(said.failed or "it says nothing", _MOST_SAID)
            return self.broken(f"fails on {where}: {words}")
        if set(said.names) != set(request.outputs):
            wanted = ", ".join(sorted(request.outputs)) or "nothing"
            given = one_line(", ".join(sorted(said.names)), _MOST_SAID) or "nothing"
            return self.broken(f"{function} returns {given}; case.json wants exactly {wanted}")
        try:
            return {n: read_array(box, f"{number}.{n}.npy", _MOST_ARRAY) for n in request.outputs}
        except ResultRefused as error:
            return self.broken(f"{function} on {where} returns no plain array ({error})")


def _same(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    largest = float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
    return bool(np.allclose(one, other, rtol=_SAME, atol=_SAME * largest, equal_nan=True))


def command() -> tuple[list[str], dict[str, Path]]:
    """The command line, and what must be visible in the sandbox for it."""
    interpreter, readonly = bare_interpreter()
    readonly[_PROGRAM] = Path(str(files("rocm_pipeline.lab") / "inside" / "case_program.py"))
    readonly[_PACKAGES] = Path(np.__file__).resolve().parents[1]
    return [*interpreter, "-B", _PROGRAM, _JOB, _PACKAGES], readonly


def _last_words(done: Completed, bounds: Bounds) -> str:
    if done.timed_out:
        return f"it took more than {bounds.seconds:g} seconds"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if not lines:
        return f"it ended with status {done.returncode} (out of memory, perhaps)"
    return one_line(lines[-1], _MOST_SAID)
