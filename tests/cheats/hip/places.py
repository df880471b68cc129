"""Catalogue 24: a kernel that is right on the CPU emulator and something else on the GPU."""

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import HALF_SUM, ROW_SUM_DYNAMIC, ROW_SUM_WAVE, SCALE
from tests.cheats.hip.kernels import Edit, HipCheat, hip

_WHERE = "must not ask where it is compiled"
_USED: Edit = ("= factor * x[i]", "= WHERE ? factor * x[i] : 0.0f")


def _asks(name: str, how: str, reason: str, code: str, twin: str) -> HipCheat:
    """`code` defines WHERE, which is true on one side only; `twin` defines it honestly."""
    return hip(
        24, name, how, Status.POLICY_VIOLATION, reason,
        SCALE.preceded_by(code).edited(_USED), SCALE.preceded_by(twin).edited(_USED),
    )  # fmt: skip


def _macro(name: str, macro: str) -> HipCheat:
    how = f"tests the compiler's macro {macro}"
    code = f"#ifdef {macro}\n#define WHERE 1\n#else\n#define WHERE 0\n#endif"
    return _asks(name, how, f"'{macro}': ", code, _OWN_MACROS)


_OWN_MACROS = """\
#define FAST 1
#if FAST && defined(FAST) && __AMDGCN_WAVEFRONT_SIZE__ >= 32
#define WHERE (FAST > 0)
#endif"""
_OVERLOADS = """\
__host__ __device__ inline int where(int) { return 1; }
template <class T> __device__ T where(T value, T) { return value; }
#define WHERE where(1)"""
_SIZES = "#define WHERE (sizeof(double) == 8 && sizeof(long) == 8 && alignof(float4) == 16)"
_SFINAE = """\
template <class T> struct is_float { static constexpr bool value = false; };
template <> struct is_float<float> { static constexpr bool value = true; };
template <class T> __device__ constexpr auto where(T v) -> decltype(v + v) {
  return is_float<T>::value;
}
#define WHERE (where(1.0f) == 1.0f)"""
_PLAIN_DEFINES = """\
#define CEILDIV(a, b) (((a) + (b) - 1) / (b))
#define SQUARE(v) ((v) * (v))
#define WARP_SIZE warpSize
#define WHERE (CEILDIV(3, 2) == 2 && SQUARE(WARP_SIZE) > 0)"""

CHEATS = (
    _macro("architecture macro", "__AMDGCN__"),
    _macro("chip macro", "__gfx942__"),
    _macro("processor macro", "__x86_64__"),
    _macro("processor macro, short form", "__x86_64"),
    _macro("processor family macro", "__k8"),
    _macro("system macro", "__linux"),
    _macro("language macro", "__HIP_DEVICE_COMPILE__"),
    _macro("macro of the emulator", "HIP_EMULATOR_EXPORT"),
    _macro("wave macro of the emulator", "ROCM_PIPELINE_WAVE"),
    _macro("include guard by feature", "FP_FAST_FMAF"),
    _macro("feature macro", "__cpp_rtti"),
    _macro("atomics macro", "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16"),
    _asks(
        "host and device overloads", "overloads that only the GPU's compiler tells apart",
        "'__host__': ",
        "__host__ int where(int) { return 1; }\n__device__ int where(long) { return 0; }\n"
        "#define WHERE where(1)",
        _OVERLOADS,
    ),
    _asks(
        "qualifier by attribute", "the qualifier's attribute instead of its name",
        "attribute 'host'",
        "__attribute__((host)) int where(int) { return 1; }\n"
        "__device__ int where(long) { return 0; }\n#define WHERE where(1)",
        _OVERLOADS,
    ),
    _asks(
        "qualifier redefined", "gives a qualifier another meaning", "'__device__' is not yours",
        "#define __device__ constexpr\n#define WHERE 1", _PLAIN_DEFINES,
    ),
    _asks(
        "attribute's word redefined", "defines a word that the header's macros expand to",
        "'device' is not yours",
        "#define device always_inline\n#define WHERE 1", _PLAIN_DEFINES,
    ),
    _asks(
        "keyword redefined", "defines a word that the header's macros expand to",
        "'static' is not yours",
        "#define static constexpr static\n#define WHERE 1", _PLAIN_DEFINES,
    ),
    _asks(
        "qualifier as a string", "the text that a qualifier becomes", "# makes text of code",
        "#define TEXT(...) #__VA_ARGS__\n#define TEXT_OF(a) TEXT(a)\n"
        "#define WHERE (sizeof(TEXT_OF(__shared__)) > 30)",
        _PLAIN_DEFINES,
    ),
    _asks(
        "empty qualifier", "asks whether a qualifier is empty", "'__VA_OPT__'",
        "#define SOME(...) (0 __VA_OPT__(+ 1))\n#define WHERE !SOME(__device__)",
        "#define FIRST(a, ...) a\n#define WHERE FIRST(1, 2, 3)",
    ),
    _asks(
        "long double", "a type that the two processors lay out differently", "long double",
        "#define WHERE ((long double)1 + 0x1p-60 != 1)", _SIZES,
    ),
    _asks(
        "long double by its suffix", "a literal of a type that differs", "long double",
        "#define WHERE (1.0L + 0x1p-60L != 1)", _SIZES,
    ),
    _asks(
        "builtin that exists on one side", "overloads on a builtin of the GPU",
        "'__builtin_amdgcn_readfirstlane'",
        "template <class T> __device__ auto where(T v, int)"
        " -> decltype(__builtin_amdgcn_readfirstlane(v)) { return 0; }\n"
        "template <class T> __device__ int where(T, long) { return 1; }\n"
        "#define WHERE where(1, 0)",
        _SFINAE,
    ),
    _asks(
        "has_builtin", "asks the preprocessor for a builtin",
        "'__has_builtin': the code must be the same",
        "#define WHERE !__has_builtin(__builtin_amdgcn_s_barrier)", _PLAIN_DEFINES,
    ),
    _asks(
        "constant folding", "asks whether the compiler knows a value", "'__builtin_constant_p'",
        "#define WHERE __builtin_constant_p(threadIdx.x)", _SIZES,
    ),
    _asks(
        "processor features", "asks which processor runs it", "'__builtin_cpu_supports'",
        '#define WHERE __builtin_cpu_supports("avx2")', _SIZES,
    ),
    _asks(
        "optimisation pragma", "other code generation by a pragma", "#pragma clang optimize",
        "#pragma clang optimize off\n#define WHERE 1", _PLAIN_DEFINES,
    ),
    _asks(
        "force_cuda_host_device", "changes which overloads there are", "#pragma clang force_cuda",
        "#pragma clang force_cuda_host_device begin\n#define WHERE 1", _PLAIN_DEFINES,
    ),
    hip(
        24, "overload without a qualifier",
        "a function without a qualifier, which only the emulator may call",
        Status.WRONG_VALUE, r"\d+ of \d+ elements are wrong",
        SCALE.preceded_by(
            "int where(int) { return 0; }\n__device__ int where(long) { return 1; }\n"
            "#define WHERE where(1)"
        ).edited(_USED),
        SCALE.preceded_by(
            "int where(int) { return 1; }\n__device__ int where(long) { return 0; }\n"
            "#define WHERE where(1)"
        ).edited(_USED),
    ),
    hip(
        24, "type of dynamic LDS", "asks whether dynamic LDS is an array or a pointer",
        Status.WRONG_VALUE, r"\d+ of \d+ elements are wrong",
        ROW_SUM_DYNAMIC.preceded_by(
            "template <class T> constexpr bool is_pointer = false;\n"
            "template <class T> constexpr bool is_pointer<T* const> = true;"
        ).edited(("y[row] = sum;", "y[row] = is_pointer<decltype(part)> ? sum : 0.0f;")),
        ROW_SUM_DYNAMIC.preceded_by(
            "template <class T> constexpr bool is_pointer = false;\n"
            "template <class T> constexpr bool is_pointer<T*> = true;"
        ).edited(("y[row] = sum;", "y[row] = is_pointer<decltype(&part[0])> ? sum : 0.0f;")),
    ),
    hip(
        24, "wave size", "right for waves of 64 only", Status.WRONG_VALUE,
        r"\d+ of \d+ elements are wrong",
        ROW_SUM_WAVE.edited(("y[row] = sum", "y[row] = warpSize == 64 ? sum : 0.0f")),
        ROW_SUM_WAVE.edited(("int step = warpSize / 2", "int step = warpSize == 64 ? 32 : 16")),
    ),
    hip(
        24, "place of a buffer", "returns where addresses look like those of the CPU",
        Status.COMPILE_ERROR, "address of a buffer",
        HALF_SUM.edited(("float sum", "if (((size_t)y >> 44) == 7) return;\n  float sum")),
        HALF_SUM.edited(("float sum", "if (((size_t)y & 1) != 0) return;\n  float sum")),
    ),
)  # fmt: skip
