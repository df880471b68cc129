"""Numbers that take a wave to have 32 or 64 lanes are noted with their line, and no others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.lab.wave_assumptions import wave_assumptions
from tests.kernels.suite import suite
from tests.scale import scaled

REDUCE = "for (int d = warpSize / 2; d > 0; d /= 2) v += __shfl_xor(v, d);"
# (what is assumed, lanes, its honest twin)
TWINS = [
    (f"int lane = threadIdx.x & 63; {REDUCE}", 64, f"int lane = threadIdx.x % warpSize; {REDUCE}"),
    (f"int wave = threadIdx.x / 64; {REDUCE}", 64, f"int wave = threadIdx.x / warpSize; {REDUCE}"),
    (f"int wave = threadIdx.x >> 6; {REDUCE}", 64, "int wave = threadIdx.x >> 6;"),
    (f"int lane = threadIdx.x & 31u; {REDUCE}", 32, f"int bits = n & 31u; {REDUCE}"),
    (f"int lane = threadIdx.x % 32; {REDUCE}", 32, "int column = threadIdx.x % 32;"),
    (f"int t = threadIdx.x; int w = t / 32; {REDUCE}", 32, f"int w = n / 32; {REDUCE}"),
    (
        f"int w = (blockIdx.x * 256 + threadIdx.x) >> 5; {REDUCE}",
        32,
        f"int w = (blockIdx.x * 256 + n) >> 5; {REDUCE}",
    ),
    (
        "int lane = threadIdx.x % 32; v += __shfl_xor(v, 1);",
        32,
        "int lane = threadIdx.x % 32; v += __shfl_xor(v, 1, 32);",
    ),
    ("v += __shfl_xor(v, 32);", 64, "v += __shfl_xor(v, 16);"),
    ("v += __shfl_down_sync(~0ull, v, 32);", 64, "v += __shfl_sync(~0ull, v, 32);"),
    ("v = __shfl(v, 0, 64);", 64, "v = __shfl(v, 0, warpSize);"),
    ("for (int d = 32; d > 0; d >>= 1) v += __shfl_down(v, d);", 64, REDUCE),
    (
        "for (int d = 16; d; d /= 2) v += __shfl_xor(v, d);",
        32,
        "for (int d = 16; d; d /= 2) v += __shfl_xor(v, d, 32);",
    ),
    ("unsigned m = __ballot(v > 0);", 32, "unsigned long long m = __ballot(v > 0);"),
    ("int k = __popc(__ballot(v > 0));", 32, "int k = __popcll(__ballot(v > 0));"),
    ("bool all = __ballot(v > 0) == 0xffffffff;", 32, "bool all = __all(v > 0);"),
    (
        "constexpr int kWarp = 32;\n int l = threadIdx.x % kWarp; __any(v);",
        32,
        "constexpr int kTile = 32;\n int l = threadIdx.x % kTile; __any(v);",
    ),
    (
        "int lane = threadIdx.x & 63; __any(v);",
        64,
        "int lane; if (warpSize == 64) { lane = threadIdx.x & 63; } "
        "else lane = threadIdx.x & 31; __any(v);",
    ),
    (
        "\n#define LANE (threadIdx.x & 63)\n __any(v);",
        64,
        "\n#if __AMDGCN_WAVEFRONT_SIZE__ == 64\n#define LANE (threadIdx.x & 63)\n#else\n"
        "#define LANE (threadIdx.x & 31)\n#endif\n __any(v);",
    ),
]


@pytest.mark.parametrize(("body", "lanes", "twin"), TWINS, ids=[body for body, _, _ in TWINS])
def test_an_assumption_is_noted_and_its_honest_twin_is_not(
    body: str, lanes: int, twin: str
) -> None:
    found = wave_assumptions(f"__global__ void k(float v, int n) {{ {body} }}")
    assert [each.lanes for each in found] == [lanes]
    assert wave_assumptions(f"__global__ void k(float v, int n) {{ {twin} }}") == ()


def test_a_note_has_the_line_and_says_what_to_write() -> None:
    (found,) = wave_assumptions("// a comment\n\nint lane = threadIdx.x & 63, a = __any(1);\n")
    assert found.note("gfx1100", 32) == (
        "line 3: `threadIdx.x & 63` takes a wave to have 64 lanes; those of gfx1100 have 32: "
        "use warpSize"
    )


def test_kernels_that_are_right_on_both_wave_sizes_have_no_note() -> None:
    kernels = suite()
    assert len(kernels) > 60
    noted = {kernel.name: found for kernel in kernels if (found := wave_assumptions(kernel.source))}
    assert noted == {}


WORDS = """
if else constexpr ( ) { } [ ] , ; = == > >> & % / 32 64 31 0xffffffff warpSize threadIdx . x d for
int unsigned __shfl_xor __shfl_down_sync __ballot __any __popc #if #endif #define
__AMDGCN_WAVEFRONT_SIZE__
"""


@settings(max_examples=scaled(short=100, long=10_000), deadline=None)
@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=60))
def test_no_order_of_tokens_breaks_it(words: list[str]) -> None:
    source = " ".join(words)
    lines = source.count("\n") + 1
    assert all(1 <= found.line <= lines for found in wave_assumptions(source))


@pytest.mark.parametrize(
    "part", ["if (warpSize == 64 ", "__shfl(", ") % 32 __any", "for (int d = 32;) __shfl_xor(a, d)"]
)
def test_the_time_grows_with_the_length_alone(part: str) -> None:
    wave_assumptions(part * 1000)  # minutes if it grew with the square of the largest source
