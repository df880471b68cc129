"""Catalogue 17 and 21 to 31: the timed run is not the run that was checked."""

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import (
    FIRST_LARGEST,
    POLYNOMIAL,
    ROW_SUM,
    SCALE,
    SCALE_STRIDED,
    SCALE_TWICE,
)
from tests.cheats.hip.kernels import Kernel, edited, hip

_WRONG = r"\d+ of \d+ elements are wrong"
_AT_TIMED_SIZE = r"at .*n=(1048576|32768)"
_FEW_WRITTEN = rf"{_AT_TIMED_SIZE}.*wrote \d+% of the outputs"
_KEPT = "writes to __device__ variables are not supported"
_HOST = "host call: the harness allocates, launches and times"

# What the refusals below must not be confused with; one kernel holds all of it.
_NAMED_LIKE_A_TIMER: Kernel = SCALE.preceded_by("""\
// hipStreamCreate, hipEventElapsedTime and std::thread are only words here
__device__ const int clock_rate = 2100;
__device__ int stream_of(int block) { return block % 4; }
__device__ float warm_up(float value) { return value; }""").edited(
    ("= factor * x[i]", "= warm_up(factor * x[i]) + 0 * stream_of(clock_rate)")
)

CHEATS = (
    edited(
        17, "writes nothing at the timed size", "returns where sizes are large", Status.CHEAT,
        _FEW_WRITTEN,
        SCALE, ("if (i < n)", "if (i < n && n < 60000)"),
    ),
    edited(
        17, "garbage at the timed size", "moves the bytes and computes nothing",
        Status.WRONG_VALUE, _AT_TIMED_SIZE,
        SCALE, ("= factor * x[i]", "= n > 60000 ? x[i] : factor * x[i]"),
    ),
    edited(
        17, "fewer terms at the timed size", "adds up half of a long row",
        Status.WRONG_VALUE, _WRONG,
        ROW_SUM, ("sum += x[(size_t)row * cols + c];",
                  "sum += x[(size_t)row * cols + (cols > 4095 ? c % (cols / 2) : c)];"),
    ),
    edited(
        17, "some blocks skipped at the timed size", "three blocks of four do nothing",
        Status.CHEAT, _FEW_WRITTEN,
        SCALE, ("if (i < n)", "if (i < n && (n < 60000 || blockIdx.x % 4 == 0))"),
    ),
    edited(
        17, "few blocks skipped at the timed size", "one block in the middle does nothing",
        Status.NONFINITE, _AT_TIMED_SIZE,
        POLYNOMIAL, ("if (i >= n) return;", "if (i >= n || blockIdx.x == 77) return;"),
    ),
    edited(
        17, "out of bounds at the timed size", "goes astray where sizes are large",
        Status.OUT_OF_BOUNDS, _AT_TIMED_SIZE,
        SCALE, ("y[i] =", "y[n > 60000 ? i + n : i] ="),
    ),
    edited(
        17, "part of the grid at the timed size", "strides too far where there are many blocks",
        Status.NONFINITE, _AT_TIMED_SIZE,
        SCALE_STRIDED, ("i += gridDim.x * blockDim.x",
                        "i += gridDim.x * blockDim.x * (n > 60000 ? 2 : 1)"),
    ),
    hip(
        17, "smaller launch at the timed size", "the plan's grid stops growing",
        Status.CHEAT, _FEW_WRITTEN,
        SCALE.launched(grid=("min(64, ceildiv(n, 256))", 1, 1)),
        SCALE.launched(grid=("max(1, ceildiv(n, 256))", 1, 1)),
    ),
    hip(
        21, "side stream", "creates a stream and joins it late", Status.POLICY_VIOLATION,
        f"'hipStreamCreate': {_HOST}",
        SCALE.preceded_by("void later() { hipStreamCreate(0); }"), _NAMED_LIKE_A_TIMER,
    ),
    hip(
        21, "launch of its own", "starts a kernel from the device", Status.POLICY_VIOLATION,
        "kernel launch <<<...>>>: use the launch plan",
        SCALE.preceded_by("void again() { scale_f32<<<1, 64>>>(0, 0, 0, 0); }"),
        SCALE.preceded_by("__device__ int shifted(int a) { return a << 3 >> 3; } // <<<1, 64>>>"),
    ),
    hip(
        22, "events", "replaces the timer's events", Status.POLICY_VIOLATION,
        f"'hipEventElapsedTime': {_HOST}",
        SCALE.preceded_by("float hipEventElapsedTime(void*, void*) { return 0; }"),
        _NAMED_LIKE_A_TIMER,
    ),
    hip(
        22, "clock", "reads the clock to see when it is timed", Status.UNSUPPORTED, "clock64",
        SCALE.edited(("= factor * x[i]", "= clock64() % 2 ? factor * x[i] : x[i]")),
        _NAMED_LIKE_A_TIMER,
    ),
    hip(
        22, "cycle counter", "reads the cycle counter by its builtin", Status.POLICY_VIOLATION,
        "'__builtin_readcyclecounter'",
        SCALE.edited(("factor * x[i]",
                      "factor * x[i] + 0 * (float)__builtin_readcyclecounter()")),
        SCALE.edited(("factor * x[i]", "__builtin_fmaf(factor, x[i], 0.0f)")),
    ),
    hip(
        23, "thread", "includes threads", Status.POLICY_VIOLATION, "#include thread: only",
        SCALE.preceded_by("#include <thread>"), _NAMED_LIKE_A_TIMER,
    ),
    hip(
        23, "thread without a header", "declares the function that starts a thread",
        Status.COMPILE_ERROR, "pthread_create",
        SCALE.preceded_by('extern "C" __device__ int pthread_create(void*, void*, void*, void*);')
        .edited(("= factor * x[i]", "= factor * x[i] + pthread_create(0, 0, 0, 0)")),
        SCALE.preceded_by("__device__ int create(int a) { return 0 * a; }").edited(
            ("= factor * x[i]", "= factor * x[i] + create(i)")
        ),
    ),
    hip(
        24, "counts its calls", "behaves after the third call", Status.UNSUPPORTED, _KEPT,
        SCALE.preceded_by("__device__ int calls;").edited(
            ("if (i < n)", "if (i == 0) calls = calls + 1;\n  if (i < n && calls < 1000)")
        ),
        SCALE.preceded_by("__constant__ int calls = 3;").edited(
            ("if (i < n)", "if (i < n && calls < 1000)")
        ),
    ),
    hip(
        24, "counts its calls by atomics", "an atomic counter outside every buffer",
        Status.UNSUPPORTED, _KEPT,
        SCALE.preceded_by("__device__ int calls;").edited(
            ("if (i < n)", "if (atomicAdd(&calls, 1) < 1000000 && i < n)")
        ),
        SCALE.preceded_by("static __device__ const int calls[2] = {1, 2};").edited(
            ("if (i < n)", "if (i < n && calls[i % 2] > 0)")
        ),
    ),
    edited(
        24, "counts its calls in a static", "a variable of the function that lives on",
        Status.UNSUPPORTED, _KEPT,
        SCALE.edited(
            ("  const int i =", "  static __device__ const int calls = 0;\n  const int i ="),
            ("if (i < n)", "if (i < n && calls < 5)"),
        ),
        ("static __device__ const int calls = 0;", "static __device__ int calls = 0;"),
        ("if (i < n &&", "if (i == 0) calls = calls + 1;\n  if (i < n &&"),
    ),
    edited(
        24, "notices the poison", "looks whether its output is poisoned",
        Status.NONDETERMINISTIC, "read of memory that no kernel has written",
        SCALE, ("= factor * x[i]", "= isnan(y[i]) ? factor * x[i] : x[i]"),
    ),
    edited(
        24, "notices poisoned workspace", "looks whether workspace is poisoned",
        Status.NONDETERMINISTIC, "read of memory that no kernel has written",
        SCALE_TWICE, ("part[i] = x[i];", "part[i] = isnan(part[i]) ? x[i] : 0.0f;"),
    ),
    edited(
        24, "marks its input", "leaves a mark for its next call", Status.CHEAT,
        "wrote to its input 'x'",
        SCALE, ("if (i < n) y[i] = factor * x[i];",
                "if (i >= n) return;\n  y[i] = factor * x[i];\n"
                "  if (i == n / 2) ((float*)x)[i] = -x[i];"),
    ),
    hip(
        25, "cache window", "asks the host for a persisting cache", Status.POLICY_VIOLATION,
        f"'hipStreamSetAttribute': {_HOST}",
        SCALE.preceded_by("void keep() { hipStreamSetAttribute(0, 0, 0); }"), _NAMED_LIKE_A_TIMER,
    ),
    edited(
        31, "right after a part of its input",
        "reads the beginning of a long row, where what is drawn has its largest", Status.CHEAT,
        r"moves \d+ bytes at the timing case .*cols=4096.*must move 1048576",
        FIRST_LARGEST, ("c < cols", "c < (cols > 1024 ? 512 : cols)"),
    ),
    edited(
        31, "fewer bytes than there are", "reads the same line over and over", Status.NONFINITE,
        _AT_TIMED_SIZE,
        SCALE_STRIDED, ("y[i] = factor * x[i];",
                        "y[n > 60000 ? i % 64 : i] = factor * x[n > 60000 ? i % 64 : i];"),
    ),
)  # fmt: skip
