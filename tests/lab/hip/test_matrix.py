"""Matrix builtins against numpy, with the layouts that AMD's instruction sets give them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start

Matrix = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Builtin:
    """A matrix builtin: `item` of A and B with `items` a lane, results of `result`."""

    name: str
    item: str
    items: int
    result: str
    side: int
    depth: int
    kind: str
    """As numpy names the elements; bfloat16 is not among its names."""


MFMA = (
    Builtin("f32_32x32x2f32", "float", 1, "float", 32, 2, "float32"),
    Builtin("f32_16x16x4f32", "float", 1, "float", 16, 4, "float32"),
    Builtin("f32_32x32x8f16", "_Float16", 4, "float", 32, 8, "float16"),
    Builtin("f32_16x16x16f16", "_Float16", 4, "float", 16, 16, "float16"),
    Builtin("f32_32x32x4bf16", "short", 2, "float", 32, 4, "bfloat16"),
    Builtin("f32_16x16x8bf16", "short", 2, "float", 16, 8, "bfloat16"),
    Builtin("f32_32x32x8bf16_1k", "short", 4, "float", 32, 8, "bfloat16"),
    Builtin("f32_16x16x16bf16_1k", "short", 4, "float", 16, 16, "bfloat16"),
    Builtin("f32_32x32x16_f16", "_Float16", 8, "float", 32, 16, "float16"),
    Builtin("f32_16x16x32_f16", "_Float16", 8, "float", 16, 32, "float16"),
    Builtin("f32_32x32x16_bf16", "__bf16", 8, "float", 32, 16, "bfloat16"),
    Builtin("f32_16x16x32_bf16", "__bf16", 8, "float", 16, 32, "bfloat16"),
    Builtin("i32_32x32x8i8", "int", 1, "int", 32, 8, "int8"),
    Builtin("i32_16x16x16i8", "int", 1, "int", 16, 16, "int8"),
    Builtin("i32_32x32x16_i8", "long", 1, "int", 32, 16, "int8"),
    Builtin("i32_16x16x32_i8", "long", 1, "int", 16, 32, "int8"),
    Builtin("i32_32x32x32_i8", "int", 4, "int", 32, 32, "int8"),
    Builtin("i32_16x16x64_i8", "int", 4, "int", 16, 64, "int8"),
    Builtin("f64_16x16x4f64", "double", 1, "double", 16, 4, "float64"),
)
WMMA = (
    Builtin("f32_16x16x16_f16_w32", "_Float16", 16, "float", 16, 16, "float16"),
    Builtin("f32_16x16x16_bf16_w32", "short", 16, "float", 16, 16, "bfloat16"),
    Builtin("f32_16x16x16_f16_w32_gfx12", "_Float16", 8, "float", 16, 16, "float16"),
    Builtin("f32_16x16x16_bf16_w32_gfx12", "short", 8, "float", 16, 16, "bfloat16"),
    Builtin("i32_16x16x16_iu8_w32", "int", 4, "int", 16, 16, "int8"),
    Builtin("i32_16x16x16_iu8_w32_gfx12", "int", 2, "int", 16, 16, "int8"),
)


def source_of(builtin: Builtin, family: str) -> str:
    """A kernel of one wave: each lane loads its parts whole, and stores its results whole."""
    wave = 64 if family == "mfma" else 32
    results = builtin.side**2 // wave
    signs = ("true, ", "true, ", ", false") if "iu8" in builtin.name else ("", "", "")
    rest = ", 0, 0, 0" if family == "mfma" else signs[2]

    def vector(kind: str, count: int) -> str:
        return (
            f"{kind} __attribute__((vector_size({count} * sizeof({kind}))))" * (count > 1) or kind
        )

    return f"""
typedef {vector(builtin.item, builtin.items)} part_{builtin.name};
typedef {vector(builtin.result, results)} sum_{builtin.name};
extern "C" __global__ void k_{builtin.name}(
    const part_{builtin.name}* a, const part_{builtin.name}* b, sum_{builtin.name}* c) {{
  int i = threadIdx.x;
  for (int n = 0; n < 2; ++n)
    c[i] = __builtin_amdgcn_{family}_{builtin.name}(
        {signs[0]}a[i], {signs[1]}b[i], c[i]{rest});
}}
"""


def _values(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    if kind == "int8":
        return rng.integers(-128, 128, shape, np.int8)
    values = rng.normal(size=shape)
    if kind == "bfloat16":
        return (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    return values.astype(kind)


def _stored(values: Matrix, kind: str) -> Matrix:
    """The bytes of the elements: bfloat16 as the upper halves of floats."""
    return (values.view(np.uint32) >> 16).astype(np.uint16) if kind == "bfloat16" else values


def _parts(values: Matrix, builtin: Builtin, wave: int) -> Matrix:
    """What each lane holds of a matrix with a line for each row of A or column of B."""
    side, depth = builtin.side, builtin.depth
    stored = _stored(values, builtin.kind)
    if "w32" in builtin.name and "gfx12" not in builtin.name:
        return np.ascontiguousarray(np.concatenate([stored, stored]))
    groups = wave // side
    return np.ascontiguousarray(
        stored.reshape(side, groups, depth // groups).transpose(1, 0, 2).reshape(wave, -1)
    )


def _rows(builtin: Builtin, wave: int) -> npt.NDArray[np.int64]:
    """Row of the result of each lane (first axis) and item."""
    lane, item = np.mgrid[0:wave, 0 : builtin.side**2 // wave]
    group = lane // builtin.side
    if builtin.kind == "float64":
        return 4 * item + group
    if "gfx12" in builtin.name:
        return 8 * group + item
    if "w32" in builtin.name:
        return 2 * item + group
    return item // 4 * 4 * (wave // builtin.side) + 4 * group + item % 4


def _check(bench: Bench, family: str, builtins: tuple[Builtin, ...], wave: int) -> None:
    rng = np.random.default_rng(7)
    buffers: dict[str, Matrix] = {}
    exact: dict[str, npt.NDArray[np.float64]] = {}
    for builtin in builtins:
        a, b = (_values(builtin.kind, (builtin.side, builtin.depth), rng) for _ in range(2))
        c = _values(
            {"int": "int8", "float": "float32", "double": "float64"}[builtin.result],
            (wave, builtin.side**2 // wave), rng,
        )  # fmt: skip
        if builtin.result == "int":
            c = c.astype(np.int32)
        product = 2 * (a.astype(float) @ b.astype(float).T)
        column = np.arange(wave)[:, None] % builtin.side
        exact[builtin.name] = c.astype(float) + product[_rows(builtin, wave), column]
        buffers |= {
            f"a_{builtin.name}": _parts(a, builtin, wave),
            f"b_{builtin.name}": _parts(b, builtin, wave),
            f"c_{builtin.name}": c,
        }
    run = bench.run(
        "".join(source_of(each, family) for each in builtins),
        [
            Start(
                f"k_{each.name}", tuple(f"{role}_{each.name}" for role in "abc"),
                block=(wave, 1, 1),
            )
            for each in builtins
        ],
        buffers,
        wave=wave,
    )  # fmt: skip
    assert run.findings == ()
    for builtin in builtins:
        got = run.outputs[f"c_{builtin.name}"]
        tolerance = 0 if builtin.result == "int" else 1e-12 if builtin.result == "double" else 2e-6
        np.testing.assert_allclose(
            got, exact[builtin.name], rtol=tolerance, atol=8 * tolerance, err_msg=builtin.name
        )


def test_mfma_of_cdna(bench: Bench) -> None:
    _check(bench, "mfma", MFMA, 64)


def test_wmma_of_rdna(bench: Bench) -> None:
    _check(bench, "wmma", WMMA, 32)


def test_a_matrix_instruction_that_some_lanes_pass_by_is_found(bench: Bench) -> None:
    source = source_of(MFMA[3], "mfma").replace(
        "int i = threadIdx.x;", "int i = threadIdx.x; if (i < 40)"
    )
    parts = np.zeros((64, 4), np.float16)
    buffers = {"a": parts, "b": parts.copy(), "c": np.zeros((64, 4), np.float32)}
    run = bench.run(source, Start("k_f32_16x16x16f16", ("a", "b", "c")), buffers)

    assert run.status is Status.WRONG_VALUE
    assert "only some lanes" in run.findings[0].message


def test_operands_that_are_not_repeated_are_found(bench: Bench) -> None:
    parts = np.arange(32 * 16, dtype=np.float16).reshape(32, 16)
    buffers = {"a": parts, "b": parts.copy(), "c": np.zeros((32, 8), np.float32)}
    start = Start("k_f32_16x16x16_f16_w32", ("a", "b", "c"), block=(32, 1, 1))
    run = bench.run(source_of(WMMA[0], "wmma"), start, buffers, wave=32)

    assert run.status is Status.WRONG_VALUE
    assert "lanes 16 to 31" in run.findings[0].message


@pytest.mark.parametrize(
    ("source", "wave", "words"),
    [
        (source_of(MFMA[3], "mfma"), 32, "UNSUPPORTED"),
        (source_of(WMMA[0], "wmma"), 64, "UNSUPPORTED"),
        (source_of(MFMA[3], "mfma").replace(", 0, 0, 0", ", 0, 0, 1"), 64, "blgp must be zero"),
    ],
)
def test_what_matrix_builtins_cannot_do_here_is_refused(
    bench: Bench, source: str, wave: int, words: str
) -> None:
    name = "k_f32_16x16x16f16" if "mfma" in source else "k_f32_16x16x16_f16_w32"
    with pytest.raises(BuildFailed) as caught:
        bench.build(source, [name], wave)
    assert words in caught.value.diagnostics
    assert "kernel.hip:" in caught.value.diagnostics
