"""Takes from unoptimised intermediate code what only a CPU would answer.

Private memory holds leftovers on a GPU, but fresh stacks of a CPU hold zeros; so every local
variable begins as noise, which differs from run to run and which the optimiser cannot see through.
A conversion to integers of a value out of range, undefined in C++, saturates on the GPU (NaN gives
0), at 32 bits for narrower types (AMD "CDNA3 Instruction Set Architecture", V_CVT_I32_F32).
"""

import re
from collections.abc import Iterator

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.ir import elements, size_in_bytes
from rocm_pipeline.lab.emulator.layout import TypeLayout
from rocm_pipeline.lab.emulator.source import SOURCE_NAME

NOISE = "@hip_emulator_noise"
NOISE_VALUE = "%hip_emulator_noise."
"""What the names of values read from `NOISE` begin with."""
_NOISE_BYTES = 256
"""Of the runtime's variable (runtime/execution.cpp)."""
_ALLOCA = re.compile(r"  (?P<name>%[\w.$-]+) = alloca (?P<rest>.*)")
_COUNT = re.compile(r", i\d+ (?P<count>%?[\w.$-]+)(?=,|$)")
_BEGIN = re.compile(r"  call void @llvm\.lifetime\.start\.p0\(ptr [^%]*(?P<name>%[\w.$-]+)\)")
_CONVERSION = re.compile(
    r"  (?P<result>%[\w.$-]+) = (?P<opcode>fpto[su]i) (?P<from><[^>]+>|\w+) (?P<value>\S+) "
    r"to (?P<to><[^>]+>|\w+)"
)
_CONCERNED = re.compile(
    r"define |  %[\w.$-]+ = (?:alloca|fpto[su]i) |  call void @llvm\.lifetime\.start\."
)
"""What the beginning of every line that is looked at more closely matches."""
_SUFFIXES = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64"}
_WORD_BITS = 32


def as_on_the_device(ir: str) -> str:
    """Return a module with noise in its local variables and conversions that saturate."""
    return _Rewriter(ir.splitlines()).text()


class _Rewriter:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._layout = TypeLayout(lines)
        self._marked: set[str] = set()
        self._variables: dict[str, str] = {}
        self._noises = 0
        self._declared: set[str] = set()

    def text(self) -> str:
        body: list[str] = []
        for at, line in enumerate(self._lines):
            body += self._rewritten(at, line) if _CONCERNED.match(line) else (line,)
        own = [
            f"{NOISE} = external constant [{_NOISE_BYTES} x i8]",
            *sorted(self._declared - {line for line in body if line.startswith("declare")}),
        ]
        if "declare void @llvm.memset.p0.i64(" not in "\n".join(body):
            own.append("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        return "\n".join([*body, *own]) + "\n"

    def _rewritten(self, at: int, line: str) -> Iterator[str]:
        if line.startswith("define "):
            self._variables.clear()
            self._marked = set(self._marked_from(at))
        conversion = _CONVERSION.match(line)
        if conversion:
            yield from self._saturating(conversion)
            return
        yield line
        variable = _ALLOCA.match(line)
        begin = _BEGIN.match(line)
        if variable:
            self._variables[variable["name"]] = variable["rest"]
            # Where a jump passes its declaration a variable has no mark of its beginning.
            if variable["name"] not in self._marked:
                yield from self._filled(variable["name"])
        elif begin:
            yield from self._filled(begin["name"])

    def _marked_from(self, at: int) -> Iterator[str]:
        """The variables of the function at a line that are marked where they begin."""
        for line in self._lines[at:]:
            if line == "}":
                return
            begin = _BEGIN.match(line)
            if begin:
                yield begin["name"]

    def _filled(self, name: str) -> Iterator[str]:
        rest = self._variables[name]
        kind = self._layout.first_type(rest)
        count = _COUNT.search(rest[len(kind) :])
        if count and not count["count"].isdigit():
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: a local array needs a length that is known when it "
                "is compiled"
            )
        self._noises += 1
        noise = f"{NOISE_VALUE}{self._noises}"
        single = size_in_bytes(kind)
        if single is not None and single <= _NOISE_BYTES and not count:
            yield f"  {noise} = load {kind}, ptr {NOISE}, align 1"
            yield f"  store {kind} {noise}, ptr {name}, align 1"
            return
        size = self._layout.size(kind) * (int(count["count"]) if count else 1)
        yield f"  {noise} = load i8, ptr {NOISE}, align 1"
        yield f"  call void @llvm.memset.p0.i64(ptr {name}, i8 {noise}, i64 {size}, i1 false)"

    def _saturating(self, match: re.Match[str]) -> Iterator[str]:
        number, scalar = elements(match["from"])
        _, integer = elements(match["to"])
        bits = max(int(integer[1:]), _WORD_BITS)
        wide = _vector(number, f"i{bits}", match["to"])
        suffixes = [
            f"v{number}{each}" if match["to"].startswith("<") else each
            for each in (f"i{bits}", _SUFFIXES[scalar])
        ]
        function = f"@llvm.{match['opcode']}.sat.{'.'.join(suffixes)}"
        self._declared.add(f"declare {wide} {function}({match['from']})")
        narrow = wide != match["to"]
        result = f"{match['result']}.sat" if narrow else match["result"]
        # A number's suffix would be no name.
        result = result.replace("%", "%hip_emulator_", 1) if narrow else result
        rest = match.string[match.end() :]
        yield f"  {result} = call {wide} {function}({match['from']} {match['value']}){rest}"
        if narrow:
            yield f"  {match['result']} = trunc {wide} {result} to {match['to']}{rest}"


def _vector(number: int, scalar: str, like: str) -> str:
    return f"<{number} x {scalar}>" if like.startswith("<") else scalar
