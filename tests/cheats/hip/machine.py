"""Catalogue 18 and 24: a kernel that is right because of what the CPU's machine happens to do."""

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import SCALE
from tests.cheats.hip.kernels import HipCheat, hip

_STORE = "if (i < n) y[i] = factor * x[i];"
_WRONG = r"elements are wrong; the worst is"
_UNWRITTEN = "memory that was never written reads as nan"
_ADDRESS = "the address of a buffer is used as a number"
_ORDER = "whether LDS or a local variable lies before another address"


def _told_by(name: str, how: str, status: Status, reason: str, cheat: str, twin: str) -> HipCheat:
    """The answer is right where the expression holds; that of the twin holds everywhere."""
    kernels = [
        SCALE.edited(
            (
                _STORE,
                "if (i >= n) return;\n  const float v = x[i];\n"
                f"  y[i] = ({expression}) ? factor * v : 0.0f;",
            )
        )
        for expression in (cheat, twin)
    ]
    return hip(24, name, how, status, reason, *kernels)


def _left_over(name: str, how: str, status: Status, reason: str, code: str) -> HipCheat:
    """BEGIN is nothing in the cheat; the twin initialises the variable."""
    kernels = [
        SCALE.edited((_STORE, f"if (i >= n) return;\n  {code.replace('BEGIN', begin)}"))
        for begin in ("", " = {}")
    ]
    return hip(18, name, how, status, reason, *kernels)


CHEATS = (
    _left_over(
        "zeroed local array", "right while a local array that nobody wrote holds zeros",
        Status.WRONG_VALUE, _WRONG,
        "int seen[64]BEGIN;\n  y[i] = seen[(n + i) & 63] == 0 ? factor * x[i] : 0.0f;\n"
        "  seen[i & 63] = 0;",
    ),
    _left_over(
        "sum in a local array", "adds to a local array that nobody cleared",
        Status.NONFINITE, _UNWRITTEN,
        "float part[64]BEGIN;\n"
        "  for (int k = 0; k < 3; ++k) part[(k * 7 + n) & 63] += k == 0 ? x[i] : 0.0f;\n"
        "  y[i] = factor * part[n & 63];",
    ),
    _left_over(
        "zeroed local variable", "counts in a variable that it sets for long rows only",
        Status.WRONG_VALUE, _WRONG,
        "int count BEGIN;\n  if (n > 1000000000) count = 0;\n"
        "  for (int k = 0; k < (n & 3); ++k) ++count;\n"
        "  y[i] = count == (n & 3) ? factor * x[i] : 0.0f;",
    ),
    hip(
        18, "variable that a jump passes", "its declaration is never reached",
        Status.WRONG_VALUE, _WRONG,
        SCALE.edited((_STORE, """if (i >= n) return;
  switch (n) {
    int seen[64];
    default: y[i] = seen[(n + i) & 63] == 0 ? factor * x[i] : 0.0f;
    seen[i & 63] = 0;
  }""")),
        SCALE.edited((_STORE, """if (i >= n) return;
  int seen[64] = {};
  switch (n) {
    default: y[i] = seen[(n + i) & 63] == 0 ? factor * x[i] : 0.0f;
    seen[i & 63] = 0;
  }""")),
    ),
    _left_over(
        "known leftovers", "knows what private memory is usually filled with",
        Status.WRONG_VALUE, _WRONG,
        "unsigned seen[64]BEGIN;\n  const unsigned found = seen[(n + i) & 63];\n"
        "  const bool usual = found == 0 || found == 0xffffffffu || found == 0xaaaaaaaau;\n"
        "  y[i] = usual ? factor * x[i] : 0.0f;\n  seen[i & 63] = 0;",
    ),
    _told_by(
        "page of a buffer", "returns where a buffer begins a page", Status.COMPILE_ERROR, _ADDRESS,
        "((size_t)x & 4095) == 0", "((size_t)x & 15) == 0",
    ),
    _told_by(
        "distance of buffers", "counts on how far apart two buffers lie", Status.WRONG_VALUE,
        _WRONG,
        "(char*)y - (char*)x < (long)n * 4 + 3 * 4096", "(char*)&x[n] - (char*)x == (long)n * 4",
    ),
    _told_by(
        "order of buffers", "counts on which of two buffers comes first", Status.WRONG_VALUE,
        _WRONG,
        "x < y", "x < x + n",
    ),
    hip(
        24, "place of a local variable", "compares a local variable's address with a buffer's",
        Status.COMPILE_ERROR, _ORDER,
        SCALE.edited((_STORE, "int own[8];\n  own[n & 7] = n;\n"
                      "  const bool where = (const char*)&own[n & 7] < (const char*)x;\n"
                      "  if (i < n) y[i] = where == (own[n & 7] > 0) ? factor * x[i] : 0.0f;")),
        SCALE.edited((_STORE, "int own[8];\n  own[n & 7] = n;\n"
                      "  const bool where = (const char*)&own[n & 7] >= (const char*)own;\n"
                      "  if (i < n) y[i] = where == (own[n & 7] > 0) ? factor * x[i] : 0.0f;")),
    ),
    _told_by(
        "integer out of range", "knows what a CPU makes of a float too large for an integer",
        Status.WRONG_VALUE, _WRONG,
        "(int)(v * 0.0f + 3e9f) < 0", "(int)(v * 0.0f + 3e6f) > 0",
    ),
    _told_by(
        "integer of NaN", "knows what a CPU makes of NaN", Status.WRONG_VALUE, _WRONG,
        "(int)((v - v) / (v - v)) != 0", "(int)((v - v) / (v * v + 1.0f)) == 0",
    ),
    _told_by(
        "byte of a negative float", "knows how a CPU cuts a negative float to a byte",
        Status.WRONG_VALUE, _WRONG,
        "(unsigned char)(unsigned)(v * 0.0f - 3.0f) == 253",
        "(unsigned char)(int)(v * 0.0f - 3.0f) == 253",
    ),
    _told_by(
        "denormal exponential", "the GPU's fast exponential gives zero here", Status.WRONG_VALUE,
        _WRONG,
        "__expf(fabsf(v * 0.0f) - 100.0f) > 0.0f", "__expf(fabsf(v * 0.0f) - 80.0f) > 0.0f",
    ),
    _told_by(
        "denormal quotient", "the GPU's fast division gives zero here", Status.WRONG_VALUE, _WRONG,
        "__fdividef(1.0f, fabsf(v * 0.0f) + 2e38f) > 0.0f",
        "__fdividef(1.0f, fabsf(v * 0.0f) + 2e37f) > 0.0f",
    ),
)  # fmt: skip
