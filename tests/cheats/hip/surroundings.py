"""Catalogue 24: a kernel asks its surroundings where it is, or changes what stands around it.

Our header and the exports behind a source differ between the emulator and the GPU. A source that
sees the difference, or changes one of the two, is right on the emulator alone.
"""

from dataclasses import replace

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.macro_rules import ATTRIBUTES
from tests.cheats.hip.honest import SCALE
from tests.cheats.hip.kernels import Edit, HipCheat, Kernel, hip, kernel, launch

_WRONG_VALUE = r"\d+ of \d+ elements are wrong"
_NOT_YOURS = "is not yours to define"
_USED: Edit = ("= factor * x[i]", "= WHERE ? factor * x[i] : 0.0f")
_WRONG: Edit = ("= factor * x[i]", "= 0.0f * x[i]")
_RIGHT = """\
__device__ __noinline__ void right(const float* x, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}"""


def _where(name: str, how: str, reason: str, code: str, twin: str) -> HipCheat:
    """`code` defines WHERE, which was true on the emulator only; `twin` defines it honestly."""
    status = Status.WRONG_VALUE if reason == _WRONG_VALUE else Status.POLICY_VIOLATION
    return hip(
        24, name, how, status, reason,
        SCALE.preceded_by(code).edited(_USED), SCALE.preceded_by(twin).edited(_USED),
    )  # fmt: skip


def _asked(macro: str) -> HipCheat:
    code = f"#ifdef {macro}\n#define WHERE 0\n#else\n#define WHERE 1\n#endif"
    return _where(
        f"asks for {macro}", f"{macro} is defined where the kernel is used, and not here",
        f"'{macro}': #ifdef may ask for", code, _OWN_QUESTIONS,
    )  # fmt: skip


def _alias(word: str) -> HipCheat:
    """A macro of an accepted attribute's name, which stands for another attribute."""
    code = f"#define {word} amdgpu_max_num_work_groups(1, 1, 1)"
    return hip(
        24, f"attribute under the name of {word}", "starts one block of the grid on the GPU",
        Status.POLICY_VIOLATION, f"'{word}' {_NOT_YOURS}",
        SCALE.preceded_by(code).edited(_attribute(word)),
        SCALE.preceded_by("#define EDGE 16").edited(_attribute("flatten, cold")),
    )  # fmt: skip


def _attribute(words: str) -> Edit:
    return ('extern "C" __global__', f'extern "C" __attribute__(({words})) __global__')


def _followed_by(kernel: Kernel, code: str) -> Kernel:
    return replace(kernel, source=f"{kernel.source}{code}\n")


def _pasted(name: str, how: str, reason: str, plan_name: str, code: str, where: str) -> HipCheat:
    """A kernel that is named by `##`, and whose macro can spell more than its name."""
    body = """
extern "C" __global__ void J(f32)(const float* x, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = WHERE ? factor * x[i] : 0.0f;
}"""

    def made(kernel_name: str, code: str, where: str) -> Kernel:
        defined = f"{code}\n#define WHERE {where}\n{body}"
        started = launch(f"{kernel_name}_{{io}}", "ceildiv(n, 256)", 256, "x", "y", "n", "factor")
        return kernel("scale", defined, started)

    return hip(
        24, name, how, Status.POLICY_VIOLATION, reason,
        made(plan_name, code, where), made("scaled", "#define J(b) scaled_##b", "(n >= 0)"),
    )  # fmt: skip


_OWN_QUESTIONS = """\
#ifndef BLOCK
#define BLOCK 256
#endif
#if BLOCK > 64 && defined(INFINITY) && defined(BLOCK)
#define WHERE (BLOCK == 256)
#endif"""
_INDICES = """\
__device__ unsigned first(dim3 index) { return index.x; }
#define WHERE (first(threadIdx) == threadIdx.x && sizeof(dim3) == 12)"""
_LOOKUP = """\
template <class T> __device__ constexpr auto sum(T a, int) -> decltype(a + a) { return a + a; }
template <class T> __device__ constexpr bool sum(T, long) { return false; }
#define WHERE (sum(make_float2(1.0f, 2.0f), 0).x == 2.0f)"""
_OVERLOADS = """\
__device__ constexpr int pick(int) { return 1; }
__host__ __device__ constexpr int pick(int, float) { return 2; }
template <class T> __device__ constexpr auto here(T v, int) -> decltype(pick(v), true) {
  return true;
}
template <class T> __device__ constexpr bool here(T, long) { return false; }
#define WHERE here(1, 0)"""
_TOLD = """\
template <int n> struct tag { friend constexpr int told(tag<n>); };
template <int n> struct teller {
  friend constexpr int told(tag<n>) { return 1; }
  static constexpr int value = 256;
};
template struct tag<0>;
template <class T, int = told(T{})> constexpr bool ask(int) { return false; }
template <class T> constexpr bool ask(long) { return true; }"""
_BOUNDS: Edit = ("__launch_bounds__(256)", "__launch_bounds__(teller<0>::value)")
_ASKED: Edit = ("= factor * x[i]", "= ask<tag<0>>(0) ? factor * x[i] : 0.0f")
_ANSWERED: Edit = ("= factor * x[i]", "= ask<tag<0>>(0) ? 0.0f : factor * x[i]")
_HELPER = "namespace other { __device__ float same(float value) { return value; } }"
_NAMESPACE = SCALE.edited(_WRONG).preceded_by(f"{_RIGHT}\nnamespace other {{")

CHEATS = (
    hip(
        24, "macro in the exports", "the emulator starts another function than the GPU",
        Status.WRONG_VALUE, _WRONG_VALUE,
        SCALE.edited(_WRONG).preceded_by(
            f"{_RIGHT}\n#define call(kernel, arguments) call(&right, arguments)"
        ),
        SCALE.preceded_by(f"{_RIGHT}\n#define call(kernel, arguments) kernel(arguments)"),
    ),
    hip(
        24, "macro of a kernel's name", "the exports name another function than the GPU's",
        Status.POLICY_VIOLATION, "'scale_f32' is a kernel and no macro",
        _followed_by(SCALE.edited(_WRONG).preceded_by(_RIGHT), "#define scale_f32 right"),
        _followed_by(SCALE.preceded_by(_RIGHT), "#define scale_f64 right"),
    ),
    hip(
        24, "kernel in a namespace", "a function of C++ has the name of the kernel",
        Status.WRONG_VALUE, _WRONG_VALUE,
        _followed_by(_NAMESPACE, f"}}\n{_RIGHT.replace('right(', 'scale_f32(')}"),
        SCALE.preceded_by(_HELPER).edited(("= factor * x[i]", "= other::same(factor * x[i])")),
    ),
    hip(
        24, "kernel in a namespace with other parameters",
        "a function of C++ lends the kernel its type",
        Status.POLICY_VIOLATION, "parameter 3 'n' of kernel 'scale_f32' is 8 bytes by value",
        _followed_by(
            SCALE.edited(("int n, float factor", "double n, float factor"))
            .preceded_by("namespace other {"),
            f"}}\n{_RIGHT.replace('right(', 'scale_f32(')}",
        ),
        SCALE.preceded_by(_HELPER).edited(("= factor * x[i]", "= 0 + other::same(factor * x[i])")),
    ),
    _where(
        "kernel as a function", "asks whether a kernel can be called", _WRONG_VALUE,
        'extern "C" __global__ void other(int);\n'
        "template <class T> __device__ constexpr auto here(T v, int) -> decltype(other(v), true)"
        " { return true; }\n"
        "template <class T> __device__ constexpr bool here(T, long) { return false; }\n"
        "#define WHERE here(1, 0)",
        _LOOKUP,
    ),
    _where(
        "template of threadIdx", "asks of which template the indices are", _WRONG_VALUE,
        "template <template <int> class C, int n>\n"
        "__device__ constexpr bool here(const C<n>*) { return true; }\n"
        "template <class T> __device__ constexpr bool here(const T*) { return false; }\n"
        "#define WHERE here(&threadIdx)",
        _INDICES,
    ),
    _where(
        "type of threadIdx", "asks for the type of the indices by decltype", _WRONG_VALUE,
        "template <class T> constexpr bool here = false;\n"
        "template <template <int> class C, int n> constexpr bool here<const C<n>> = true;\n"
        "#define WHERE here<decltype(threadIdx)>",
        _INDICES,
    ),
    _where(
        "function of the header's own", "finds it by the type of an argument", _WRONG_VALUE,
        "template <class T> __device__ constexpr auto here(T* p, int)"
        " -> decltype((void)atomic_begin(p), true) { return true; }\n"
        "template <class T> __device__ constexpr bool here(T*, long) { return false; }\n"
        "#define WHERE here((float4*)0, 0)",
        _LOOKUP,
    ),
    _where(
        "overloads by qualifier", "which overload is better depends on its qualifier",
        _WRONG_VALUE,
        _OVERLOADS.replace("int, float", "int, int = 0"), _OVERLOADS,
    ),
    _where(
        "deleted function", "asks whether a function of double is deleted", _WRONG_VALUE,
        "template <class T> __device__ constexpr auto here(T v, int) -> decltype(lgamma(v), true)"
        " { return true; }\n"
        "template <class T> __device__ constexpr bool here(T, long) { return false; }\n"
        "#define WHERE here(1.0, 0)",
        _LOOKUP,
    ),
    hip(
        24, "bounds that leave a trace", "what is evaluated in them changes an overload",
        Status.WRONG_VALUE, _WRONG_VALUE,
        SCALE.preceded_by(_TOLD).edited(_BOUNDS, _ASKED),
        SCALE.preceded_by(_TOLD).edited(_BOUNDS, _ANSWERED),
    ),
    hip(
        24, "type of arithmetic by a pragma", "computes in long double on the CPU",
        Status.POLICY_VIOLATION, "#pragma clang fp eval_method is not accepted",
        SCALE.preceded_by("#pragma clang fp eval_method(extended)"),
        SCALE.preceded_by("#pragma clang fp contract(fast)"),
    ),
    hip(
        24, "macro before the header", "changes the header of the emulator alone",
        Status.POLICY_VIOLATION, "'in_plane': the header uses this word",
        replace(SCALE, source=f"#define in_plane 0\n{SCALE.source}"),
        replace(SCALE, source=f"#define IN_PLANE 0\n{SCALE.source}"),
    ),
    _pasted(
        "pasted name of the emulator", "builds the name of one of the emulator's functions",
        "launch plan: kernel 'hip_{io}': names like that", "hip", "#define J(b) hip_##b",
        "(sizeof(J(emulator_indices)) > 0)",
    ),
    _pasted(
        "pasted macro of the emulator", "builds the name of one of the emulator's macros",
        "launch plan: kernel 'HIP_{io}': names like that", "HIP", "#define J(b) HIP_##b",
        "(sizeof(J(EMULATOR_EXPORT)) > 0)",
    ),
    _pasted(
        "pasted parameter", "the beginning of a kernel's name is a parameter's",
        "## may only build a kernel name", "scaled",
        "#define J(b) scaled_##b\n#define K(scal, b) scal##b", "(K(_, _x86_64__) == 1)",
    ),
    _pasted(
        "pasted in the middle", "an argument of two words ends the kernel's name",
        "'K' pastes its arguments", "scaled",
        "#define J(b) scaled_##b\n#define K(a, b) scaled_##a##b\n#define scaled_x",
        "(K(x _, _x86_64__) == 1)",
    ),
    _pasted(
        "pasted keyword", "the beginning of a kernel's name is a keyword",
        "## may only build a kernel name", "long", "#define J(b) long##b\n#define f32 _f32",
        "((J() double)1 + 0x1p-60 != 1)",
    ),
    *(_asked(macro) for macro in ("NULL", "EOF", "NDEBUG", "RAND_MAX", "HIP_VERSION", "linux")),
    *(_alias(word) for word in sorted(ATTRIBUTES)),
)  # fmt: skip
