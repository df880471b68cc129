"""Attacks by source text: on the compiler while it compiles, on Python while it starts."""

from rocm_pipeline.lab.sandbox import Limits
from tests.lab.sandbox.attacks.model import METADATA, Attack
from tests.scale import scaled

_COMPILE = """
def compiled(source, *options):
    open('attack.c', 'w').write(source)
    done = subprocess.run([*A['clang'], '-nostdinc', '-o', 'out', *options, 'attack.c'],
                          capture_output=True)
    made = open('out', 'rb').read() if os.path.exists('out') else b''
    return done.returncode, made + done.stdout + done.stderr
def assembly(directive):
    return '__asm__(' + json.dumps(directive + ' ' + json.dumps(A['secret'])) + ');'
outside = A['mechanism'] == 'outside'
"""
_SECONDS = scaled(short=1, long=3)
"""What a bomb gets; without one, the compiler needs a tenth of it."""
_SOURCE_LIMITS = Limits(wall_seconds=3, cpu_seconds=_SECONDS, memory_bytes=1 << 30)


def _leaks(name: str, source: str, *options: str) -> Attack:
    """`source` is a Python expression; the secret must be in what the compiler makes or says."""
    code = f"""
_, text = compiled({source}, *{options!r})
if A['canary'].encode() in text: worked()
"""
    return Attack(name, _COMPILE + code)


def _bomb(name: str, source: str, *options: str) -> Attack:
    """`source` uses `outside` to be small there."""
    code = f"""
status, text = compiled({source}, *{options!r})
if status == 0: worked()
"""
    return Attack(name, _COMPILE + code, _SOURCE_LIMITS)


_PLANTED = "'import sys; print(chr(87) + \"ORKED\", flush=True)'"


def _planted(name: str, plant: str) -> Attack:
    """Code in the box that an unguarded start of Python there would run; all are tried."""
    return Attack(
        name,
        f"code = {_PLANTED}\n{plant}\n"
        "sys.stdout.flush()\n"
        "for options in A['starts'].values():\n"
        "    subprocess.run([sys.executable, *options, '-c', 'import json'],"
        " env={'HOME': os.getcwd(), **variables})",
    )


ATTACKS = (
    _leaks(".incbin of a secret", "assembly('.incbin')", "-c"),
    _leaks(".include of a secret", "assembly('.include')", "-c"),
    _leaks("#include of a secret", "'#include \"' + A['secret'] + '\"'", "-E"),
    _leaks("#include by <>", "'#include <' + A['secret'] + '>'", "-E"),
    _leaks("#include by climbing", "'#include \"' + '../' * 40 + A['secret'][1:] + '\"'", "-E"),
    _leaks("#include by macro", "'#define P \"' + A['secret'] + '\"\\n#include P'", "-E"),
    _leaks("#include_next of a secret", "'#include_next \"' + A['secret'] + '\"'", "-E"),
    _leaks("#import of a secret", "'#import \"' + A['secret'] + '\"'", "-E"),
    _leaks(
        "#embed of a secret",
        "'const char s[] = {\\n#embed \"' + A['secret'] + '\"\\n};'",
        "-std=c23",
        "-c",
    ),
    Attack(
        "#include of the password file",
        _COMPILE + "if b'root:' in compiled('#include \"/etc/passwd\"', '-E')[1]: worked()",
    ),
    Attack(
        "__has_include as a probe",
        _COMPILE + "probe = '#if !__has_include(\"' + A['secret'] + '\")\\n#error\\n#endif'\n"
        "status, _ = compiled(probe, '-E')\n"
        "if status == 0: worked()",
    ),
    Attack(
        "__has_include_next as a probe",
        _COMPILE + "probe = '#if !__has_include_next(\"' + A['secret'] + '\")\\n#error\\n#endif'\n"
        "status, _ = compiled(probe, '-E')\n"
        "if status == 0: worked()",
    ),
    Attack(
        "__has_embed as a probe",
        _COMPILE + "probe = '#if !__has_embed(\"' + A['secret'] + '\")\\n#error\\n#endif'\n"
        "status, _ = compiled(probe, '-E', '-std=c23')\n"
        "if status == 0: worked()",
        holds_not=METADATA,
    ),
    Attack(
        "#pragma dependency as a probe",
        _COMPILE + "probe = '#pragma GCC dependency \"' + A['secret'] + '\"'\n"
        "status, _ = compiled(probe, '-E')\n"
        "if status == 0: worked()",
    ),
    _bomb(
        "template bomb",
        "'template<int N, int M> struct S {'"
        "' static const int v = S<N-1, 2*M>::v + S<N-1, 2*M+1>::v; };'"
        "'template<int M> struct S<0, M> { static const int v = 1; };'"
        "f'int x = S<{4 if outside else 24}, 0>::v;'",
        "-x",
        "c++",
        "-c",
    ),
    _bomb(
        "constexpr bomb",
        "'constexpr long f() { long s = 0;'"
        "f' for (long i = 0; i < {10 if outside else 10**12}; ++i)'"
        "' s += i; return s; } constexpr long x = f();'",
        "-x",
        "c++",
        "-std=c++17",
        "-fconstexpr-steps=2147483647",
        "-c",
    ),
    _bomb(
        "macro bomb",
        "'#define A0 1+1\\n' + ''.join(f'#define A{i+1} A{i}+A{i}+A{i}+A{i}\\n' for i in range(18))"
        " + f'int x = A{2 if outside else 18};'",
        "-c",
    ),
    _bomb("a large array", "f'char x[{1 << 10 if outside else 1 << 34}] = {{1}};'", "-c"),
    _planted("module beside the program", "open('json.py', 'w').write(code); variables = {}"),
    _planted(
        "sitecustomize on the path",
        "open('sitecustomize.py', 'w').write(code); variables = {'PYTHONPATH': os.getcwd()}",
    ),
    _planted(
        "module on the path",
        "os.mkdir('p'); open('p/json.py', 'w').write(code);"
        " variables = {'PYTHONPATH': os.getcwd() + '/p'}",
    ),
    _planted(
        "usercustomize at home",
        "v = f'{sys.version_info[0]}.{sys.version_info[1]}'\n"
        "os.makedirs(f'.local/lib/python{v}/site-packages')\n"
        "open(f'.local/lib/python{v}/site-packages/usercustomize.py', 'w').write(code)\n"
        "variables = {}",
    ),
    _planted(
        ".pth file at home",
        "v = f'{sys.version_info[0]}.{sys.version_info[1]}'\n"
        "os.makedirs(f'.local/lib/python{v}/site-packages')\n"
        "open(f'.local/lib/python{v}/site-packages/x.pth', 'w').write(code); variables = {}",
    ),
)
