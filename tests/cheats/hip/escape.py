"""Catalogue 33 to 40: the harness is escaped, and text is hidden from its rules."""

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import HISTOGRAM, SCALE, SCALE_STRIDED, SOFTMAX, STENCIL
from tests.cheats.hip.kernels import HipCheat, edited, hip

# Everything here is allowed, and close to something that is not; four kernels share it.
_CALM = SCALE.preceded_by("""\
// asm(""), main(), hipMalloc, __attribute__((constructor)) and #include <cmath> in a comment
/* __asm__ _Pragma("x") <<<1, 64>>> */
__device__ int domain(int a) { return a; }
__device__ __forceinline__ float assembled(float a) { return a; }
__attribute__((noinline)) __device__ float apart(float a) { return a; }
const char letter = 'R', quote = '"';""").edited(
    ("= factor * x[i]", "= apart(assembled(factor * x[i])) + 0 * domain(letter == quote)")
)
_SPELLED = SCALE.preceded_by("""\
#def\\
ine WIDTH 4
#define NAMED_scale(T) scale_##T
__device__ int as\\
sembled = 7 %1;
const int million = 1'000'000;""").edited(
    ("__launch_bounds__(256)", "__launch_bounds__(64 * WIDTH)")
)
_TABLED = SCALE.preceded_by("""\
#pragma once
struct __align__(16) Pack { float v[4]; };
__constant__ Pack table = {{1.0f, 2.0f, 4.0f, 8.0f}};
static __device__ const float more[4] = {0.0f, 1.0f, 2.0f, 3.0f};
template <int n> struct Count { static constexpr int value = n; };""").edited(
    ("= factor * x[i]", "= factor * x[i] * table.v[0] * more[Count<1>::value]")
)


def _refused(number: int, name: str, how: str, reason: str, code: str) -> HipCheat:
    """Code in front of an otherwise honest kernel that T0 refuses."""
    twin = _SPELLED if "hidden" in name else _CALM
    cheat = SCALE.preceded_by(code)
    return hip(number, name, how, Status.POLICY_VIOLATION, reason, cheat, twin)


CHEATS = (
    _refused(33, "main", "brings a host program that exits with 0", "main",
             "int main() { return 0; }"),
    hip(
        33, "print PASS", "prints the verdict", Status.UNSUPPORTED, "printf",
        SCALE.edited(("if (i < n)", 'if (i == 0) printf("PASS\\n");\n  if (i < n)')), _CALM,
    ),
    hip(
        33, "exit", "ends the process with success", Status.COMPILE_ERROR, "exit",
        SCALE.preceded_by('extern "C" __device__ void _exit(int);').edited(
            ("if (i < n)", "_exit(0);\n  if (i < n)")
        ),
        _CALM,
    ),
    hip(
        33, "system call", "writes the result by assembly", Status.POLICY_VIOLATION,
        "'asm': inline assembly",
        SCALE.edited(("if (i < n)", 'asm volatile("syscall");\n  if (i < n)')), _CALM,
    ),
    hip(
        33, "runs when it is loaded", "a variable whose first value is computed",
        Status.COMPILE_ERROR, "constant initial values|dynamic initialization",
        SCALE.preceded_by("__device__ int first(int a) { return a + 1; }\n"
                          "volatile int seed = 1;\n__device__ int loaded = first(seed);"),
        _TABLED,
    ),
    _refused(33, "constructor", "runs before the harness looks", "placed for the loader",
             "__attribute__((constructor)) static void early() {}"),
    _refused(33, "constructor in brackets", "runs before the harness looks",
             "placed for the loader", "[[gnu::constructor]] static void early() {}"),
    _refused(33, "harness's own functions", "calls what the emulator calls",
             "a name of the harness", 'extern "C" void hip_emulator_barrier(int, int);'),
    _refused(33, "library function replaced", "defines a function the harness uses",
             "attribute 'weak'",
             'extern "C" __attribute__((weak)) int memcmp(const void*, const void*, size_t);'),
    _refused(36, "another header", "reads a file of the machine", "#include /etc/passwd: only",
             '#include "/etc/passwd"'),
    _refused(36, "relative header", "reads a file beside the harness", "#include ../secret.h: only",
             '#include "../secret.h"'),
    _refused(36, "hidden header in a macro", "names the header by a macro", "#include H: only",
             "#define H <cmath>\n#include H"),
    _refused(36, "hidden header in a digraph", "writes # as %:", "#include cmath: only",
             "%:include <cmath>"),
    _refused(36, "hidden header in a splice", "breaks the line inside the word",
             "#include cmath: only", "#inc\\\nlude <cmath>"),
    _refused(36, "embed", "embeds a file", "#embed is not accepted",
             'const char a[] = {\n#embed "/etc/passwd"\n};'),
    _refused(36, "hidden assembly in a splice", "breaks the line inside asm", "'asm'",
             '__device__ void f() { as\\\nm("s_nop 0"); }'),
    _refused(36, "hidden assembly by pasting", "spells asm by ##", "## may only build",
             '#define GLUE(a, b) a##b\n__device__ void f() { GLUE(as, m)(""); }'),
    _refused(36, "hidden pasting in a digraph", "writes ## as %:%:", "## may only build",
             '#define GLUE(a, b) a%:%:b\n__device__ void f() { GLUE(as, m)(""); }'),
    _refused(36, "hidden assembly after a trigraph", "??/ ends a line", "trigraph",
             '// ??/\nasm("");'),
    _refused(36, "hidden text in a raw string", "a raw string swallows the rules' quotes",
             "raw string", 'const char* a = R"(")"; asm(""); const char* b = R"(")";'),
    _refused(36, "hidden name in another alphabet", "a Cyrillic letter", "is not an ASCII name",
             "__device__ int \u0430sm = 1;"),
    _refused(36, "hidden name by escape", "a universal character name", "backslash|not closed",
             "__device__ int \\u0061sm_ = 1;"),
    _refused(36, "hidden by direction", "a mark that reverses the text on screen",
             "control character U\\+202E", "// \u202e hidden"),
    _refused(36, "pragma operator", "a pragma inside an expression", "'_Pragma'",
             '_Pragma("clang section text=\\"x\\"")'),
    _refused(36, "section", "places code where the loader looks", "placed for the loader",
             '__attribute__((section(".init_array"))) int a = 1;'),
    _refused(36, "debugger pragma", "drives the compiler", "#pragma clang __debug",
             "#pragma clang __debug crash"),
    _refused(36, "line marker", "moves the lines that findings name", "#line is not accepted",
             '#line 4 "other.hip"'),
    _refused(36, "frame address", "walks its caller's stack", "'__builtin_frame_address'",
             "__device__ void* f() { return __builtin_frame_address(0); }"),
    _refused(36, "symbol by label", "gives a function the name of another", "'__asm__'",
             '__device__ int f() __asm__("system");'),
    hip(
        36, "loader", "opens a library", Status.COMPILE_ERROR, "dlopen",
        SCALE.preceded_by('extern "C" __device__ void* dlopen(const char*, int);').edited(
            ("if (i < n)", 'dlopen("libc.so.6", 1);\n  if (i < n)')
        ),
        _CALM,
    ),
    edited(
        36, "function at an address", "calls a function of the host by its address",
        Status.CRASHED, "memory fault|illegal instruction|bus error",
        SCALE, ("if (i < n)", "if (i == 0) ((void (*)(int))(size_t)(n + 4096))(0);\n  if (i < n)"),
    ),
    edited(
        36, "write outside every buffer", "writes to an address of its own making",
        Status.OUT_OF_BOUNDS, "an address that belongs to no buffer|out of bounds",
        STENCIL, ("if (i >= n) return;",
                  "if (i >= n) return;\n  *(volatile int*)(size_t)(4096 + 4 * n) = 1;"),
    ),
    edited(
        40, "division by zero", "crashes on some inputs", Status.CRASHED, "division by zero",
        HISTOGRAM, ("if (i < n) atomicAdd(&counts[x[i]], 1);",
                    "if (i < n) atomicAdd(&counts[x[i]], bins / (n % 1000) < 0 ? 2 : 1);"),
    ),
    edited(
        40, "trap", "stops on some inputs", Status.CRASHED, "illegal instruction|signal",
        SOFTMAX, ("float sum = 0.0f;", "float sum = 0.0f;\n  if (top > 0.5f) __builtin_trap();"),
    ),
    edited(
        40, "endless loop", "never ends on some inputs", Status.TIMEOUT, "did not finish within",
        SCALE_STRIDED,
        ("i += gridDim.x * blockDim.x", "i += n == 1000 ? 0 : gridDim.x * blockDim.x"),
    ),
)  # fmt: skip
