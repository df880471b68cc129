"""What a sandboxed run leaves behind: profiles, findings, outputs, arrays; all of it forgeable."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.lab.cases import draw_inputs, scalar_values
from rocm_pipeline.lab.emulator.build import EmulatorBuild
from rocm_pipeline.lab.emulator.emulator import Emulator, EmulatorRun
from rocm_pipeline.lab.emulator.findings import Names, read_findings
from rocm_pipeline.lab.emulator.profile import ProfiledLaunch, profile_bytes, read_profile
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.execution import Memory, allocate
from rocm_pipeline.lab.sandbox import Completed, ResultRefused, Sandbox
from rocm_pipeline.lab.sandbox.arrays import read_array
from rocm_pipeline.lab.sandbox.results import read_result
from rocm_pipeline.targets.launch_plan import BoundPlan
from rocm_pipeline.targets.spec import Target
from tests.conftest import RecordFigure
from tests.fuzz.mutations import (
    NESTED,
    mutated_bytes,
    mutated_lines,
    mutated_text,
    nudged_words,
)
from tests.fuzz.oracle import Oracle, fuzzing, require_one_clear_line
from tests.lab.conftest import SCALE_SOURCE, MakeCandidate

FILES = ("findings.txt", "result.json", "outputs.bin", "profile.bin")
FINDING = "1 0 1 0 0 0 3 0 0 1 4 0 0 1 1 0 4096 4 1000"


class ForgingSandbox(Sandbox):
    """Runs compilers as ever, but a job's process leaves the files that a test gives it."""

    def __init__(self, real: Sandbox) -> None:
        self._real = real
        self.forged: dict[str, bytes] = {}
        self.honest: dict[str, bytes] = {}

    @property
    def identity(self) -> str:
        return self._real.identity

    def run(self, argv: Sequence[str], *, box: Path, **options: Any) -> Completed:
        if not (box / "job.marshal").exists():
            return self._real.run(argv, box=box, **options)
        if not self.honest:
            self._completed = self._real.run(argv, box=box, **options)
            self.honest = {name: (box / name).read_bytes() for name in FILES}
            return self._completed
        for name, content in self.forged.items():
            (box / name).write_bytes(content)
        return self._completed


@dataclass(frozen=True)
class Profiled:
    """An honest build and launch, and what it takes to run them again with forged results."""

    sandbox: ForgingSandbox
    emulator: Emulator
    build: EmulatorBuild
    plan: BoundPlan
    memory: Memory
    scalars: Mapping[str, np.generic]

    @property
    def files(self) -> dict[str, bytes]:
        return self.sandbox.honest

    def judge(self, files: dict[str, bytes]) -> EmulatorRun:
        """Return what the emulator makes of these files."""
        self.sandbox.forged = files
        return self.emulator.run(
            self.build,
            self.plan,
            self.memory.buffers,
            self.scalars,
            outputs=("y",),
            uninitialised=self.memory.uninitialised,
            profile=True,
        )


@pytest.fixture(scope="session")
def profiled(
    sandbox: Sandbox,
    target: Target,
    candidate_of: MakeCandidate,
    builds: Path,
) -> Profiled:
    candidate = candidate_of(SCALE_SOURCE)
    forging = ForgingSandbox(sandbox)
    emulator = Emulator(forging, builds / "emulator")
    case = target.public_cases[0]
    plan = target.bind(candidate.launch_plan, case, 64)
    memory = allocate(target, plan, case, draw_inputs(target, case, 1))
    build = emulator.build(SCALE_SOURCE, ["scale_f32"], 64)
    found = Profiled(forging, emulator, build, plan, memory, scalar_values(target, case))
    assert found.judge({}).status is Status.PASSED
    return found


def test_the_run_that_the_hostile_ones_are_made_from_is_a_pass(profiled: Profiled) -> None:
    run = profiled.judge(profiled.files)
    assert run.status is Status.PASSED
    assert run.profiles[0].blocks_run > 0


@pytest.mark.parametrize("name", FILES)
def test_a_run_without_one_of_its_files_is_never_a_pass(profiled: Profiled, name: str) -> None:
    files = {other: content for other, content in profiled.files.items() if other != name}
    assert profiled.judge(files).status is Status.CRASHED


@pytest.mark.parametrize(
    "text", ["x", "1 2 3", FINDING.replace("1 0 1", "99 0 1"), "\n\0\n", "9" * 9000]
)
def test_findings_that_cannot_be_read_are_never_a_pass(profiled: Profiled, text: str) -> None:
    files = {**profiled.files, "findings.txt": text.encode()}
    assert profiled.judge(files).status is Status.CRASHED


def test_findings_too_large_to_read_are_never_a_pass(profiled: Profiled) -> None:
    files = {**profiled.files, "findings.txt": f"{FINDING}\n".encode() * 40_000}
    assert profiled.judge(files).status is Status.CRASHED


def test_a_hostile_result_of_a_run_is_judged_without_error(
    profiled: Profiled, record_figure: RecordFigure
) -> None:
    oracle = Oracle("results of runs")
    changes = {
        "findings.txt": mutated_text([FINDING, "", f"{FINDING}\n{FINDING}"]).map(_bytes),
        "result.json": mutated_text(['{"launches": 1}', "{}", *NESTED]).map(_bytes),
        "outputs.bin": mutated_bytes([profiled.files["outputs.bin"]]),
        "profile.bin": mutated_bytes([profiled.files["profile.bin"]], head=88)
        | nudged_words(profiled.files["profile.bin"]),
    }
    inputs = st.sampled_from(FILES).flatmap(lambda name: st.tuples(st.just(name), changes[name]))

    @fuzzing()
    @given(inputs)
    def fuzz(change: tuple[str, bytes]) -> None:
        name, content = change
        run = oracle.feed(lambda: profiled.judge({**profiled.files, name: content}))
        assert run is not None
        for finding in run.findings:
            require_one_clear_line(finding.message)
        if run.status is Status.PASSED:
            assert name != "findings.txt" or not content.strip()
            said_unchanged = name == "outputs.bin" and content == b"\0"
            assert (
                said_unchanged
                or len(content) == len(profiled.files[name])
                or name in ("findings.txt", "result.json")
            )
            # then it is what fresh outputs hold, which no reference gives
            assert not said_unchanged or np.isnan(run.outputs["y"]).all()
            assert all(np.isfinite(profile.scale) for profile in run.profiles)

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_a_hostile_profile_is_read_or_refused_in_one_line(
    profiled: Profiled, record_figure: RecordFigure
) -> None:
    oracle = Oracle("profiles", (ValueError,))
    build = profiled.build
    launch = ProfiledLaunch("scale_f32", 4, 256)
    data = profiled.files["profile.bin"]
    assert len(data) == profile_bytes(build)

    @fuzzing()
    @given(mutated_bytes([data, data * 2], head=88) | nudged_words(data) | nudged_words(data))
    def fuzz(content: bytes) -> None:
        profile = oracle.feed(lambda: read_profile(build, launch, content))
        if profile is not None:
            assert 1 <= profile.blocks_run <= profile.blocks
            assert profile.scale >= 1
            assert profile.global_bytes >= 0

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_hostile_findings_are_read_without_error(
    profiled: Profiled, record_figure: RecordFigure
) -> None:
    oracle = Oracle("findings")
    empty = EmulatorBuild("", b"", 64, {}, (), (), ())
    buffers = tuple(profiled.memory.buffers.items())
    names = [Names(build, profiled.plan, buffers) for build in (profiled.build, empty)]
    numbers = st.lists(st.integers(-3, 20) | st.integers(-(2**70), 2**70), min_size=17, max_size=21)
    lines = numbers.map(lambda line: " ".join(map(str, line)))
    valid = [" ".join([str(kind), *FINDING.split()[1:]]) for kind in range(1, 14)]
    texts = st.one_of(
        st.lists(lines | st.sampled_from(valid), max_size=5).map("\n".join),
        mutated_text(valid),
        mutated_lines(["\n".join(valid)]),
        st.just("\n".join(valid * 3000)),
        st.just("\n".join(line.replace(" 0 1 ", " 0 0 ", 1) for line in valid)),
    )

    @fuzzing()
    @given(texts)
    def fuzz(text: str) -> None:
        found = oracle.feed(lambda: [read_findings(text, name) for name in names])
        for finding in chain.from_iterable(found or ()):
            require_one_clear_line(finding.message)

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_a_hostile_array_is_read_or_refused_in_one_line(
    tmp_path: Path, record_figure: RecordFigure
) -> None:
    oracle = Oracle("arrays", (ResultRefused,))
    file = tmp_path / "a.npy"

    @fuzzing()
    @given(
        st.one_of(
            mutated_bytes(_arrays(), head=128),
            mutated_text(_headers()).map(_with_header),
            _nearly_whole_arrays(),
            _nearly_whole_arrays(),
        )
    )
    def fuzz(content: bytes) -> None:
        file.write_bytes(content)
        array = oracle.feed(lambda: read_array(tmp_path, "a.npy", 1 << 16))
        assert array is None or (array.dtype.kind in "biuf" and array.nbytes <= len(content))

    fuzz()
    record_figure("fuzz", oracle.figure())


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc/passwd", "a/../../x", "a\0b", "x" * 300, "a//b", "~"]
)
def test_a_name_that_is_no_file_of_the_box_is_refused(tmp_path: Path, name: str) -> None:
    oracle = Oracle("results", (ResultRefused,))
    assert oracle.feed(lambda: read_result(tmp_path, name, 100)) is None
    assert oracle.refused == 1


def _arrays() -> list[bytes]:
    return [
        _saved(array) for array in (np.arange(12.0).reshape(3, 4), np.array(7), np.zeros((0, 3)))
    ]


def _saved(array: np.ndarray) -> bytes:  # pyright: ignore[reportMissingTypeArgument]
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@st.composite
def _nearly_whole_arrays(draw: st.DrawFn) -> bytes:
    """Return arrays of every type and shape, some with a byte flipped or a few too many or few."""
    numbers = ("<f2", "<f4", ">f8", "<i8", "|u1", "|b1", "<u4", ">i2")
    kind = draw(st.sampled_from((*numbers, "<c8", "<U1", "<M8[s]")))
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
    order = draw(st.booleans())
    size = math.prod(shape) * np.dtype(kind).itemsize
    values = draw(st.binary(min_size=size, max_size=size))
    header = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    whole = _with_header(f"{header}\n", values)
    match draw(st.integers(0, 6)):
        case 0:
            return whole[: len(whole) - draw(st.integers(1, 9))]
        case 1:
            return whole + draw(st.binary(min_size=1, max_size=9))
        case _:
            place = len(whole) - len(values)
            return whole[:place] + draw(nudged_words(values)) if len(values) >= 8 else whole


def _headers() -> list[str]:
    kinds = ("<f8", "|O", "<i4", "|V8", "<U9", ">f2", "<c16", "|b1", "<M8[s]")
    return [
        f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n"
        for kind in kinds
        for order in ("False", "True", "1")
        for shape in (
            "(3, 4)",
            "()",
            "(2**62,)",
            "(-1, -96)",
            "(1000000000000,)",
            "(0, 99999999999999)",
            "3",
        )
    ]


def _with_header(header: str, values: bytes = b"\0" * 96) -> bytes:
    text = header.encode("latin-1", "replace")[:65_535]
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
