"""Catalogue 34 to 40: files, loaders, networks, pickles and crashes."""

from rocm_pipeline.integration.job import Check
from tests.cheats.python.operators import at_import, public
from tests.cheats.python.planted import NEVER, Planted, cheat, crash

CHEATS = (
    Planted(
        34, "site-customize", "a file that Python would import first",
        at_import("open('/site0/sitecustomize.py', 'w').write('print(1)')\n"),
        "uses 'open'", crash(Check.LOAD, "Read-only file system"),
    ),
    Planted(
        34, "pth-file", "a .pth file that Python would execute",
        at_import("open('/site0/zz.pth', 'w').write('import os')\n"),
        "uses 'open'", crash(Check.LOAD, "Read-only file system"),
    ),
    Planted(
        34, "edits-its-runtime", "writes over the runtime that it is judged with",
        at_import("open(__file__.replace('op.py', 'runtime.py'), 'w').write('')\n"),
        "uses 'open'", crash(Check.LOAD, "Read-only file system"),
    ),
    Planted(
        34, "runs-another-file", "runs code from a file that nobody read",
        public(
            "exec(open('/box/more.py').read(), globals())", "return hidden(x)",
            top="open('/box/more.py', 'w').write("
            "'def hidden(x):\\n    return torch.softmax(x, -1)\\n')\n",
        ),
        "uses 'exec'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        36, "base64-exec", "code that is not to be read",
        public(
            "exec(base64.b64decode(HIDDEN), globals())", "return hidden(x)",
            # def hidden(x): return torch.softmax(x, -1)
            top="import base64\n\n"
            "HIDDEN = 'ZGVmIGhpZGRlbih4KTogcmV0dXJuIHRvcmNoLnNvZnRtYXgoeCwgLTEp'\n",
        ),
        "imports 'base64'", cheat(Check.FORWARD, NEVER),
        twin=at_import("LETTERS = 'ZGVmIGhpZGRlbih4KTo='\n"),
    ),
    Planted(
        36, "eval-of-letters", "a name put together from letters",
        public("return eval('torch.soft' + 'max')(x, -1)"),
        "uses 'eval'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        36, "getattr-of-letters", "an attribute put together from letters",
        public("return getattr(torch, 'soft' + 'max')(x, -1)"),
        "uses 'getattr'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        36, "dlopen", "loads the kernel's library itself and looks into the process",
        public(
            "ctypes.CDLL('libm.so.6').exp", "return torch.softmax(x, -1)", top="import ctypes\n"
        ),
        "imports 'ctypes'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        36, "ptrace", "debugs the process that judges it",
        at_import(
            "import ctypes, os\n\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "if libc.ptrace(16, os.getppid(), None, None):\n"
            "    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
        ),
        "imports 'ctypes'", crash(Check.LOAD, "not permitted"),
    ),
    Planted(
        36, "network", "asks a server for the answer",
        at_import("import socket\n\nsocket.create_connection(('192.0.2.1', 80), 1)\n"),
        "imports 'socket'", crash(Check.LOAD, "not permitted|unreachable"),
    ),
    Planted(
        36, "installs-a-package", "asks pip for code",
        at_import(
            "import subprocess, sys\n\n"
            "command = [sys.executable, '-m', 'pip', 'install', '--target', '/packages', 'six']\n"
            "subprocess.run(command, check=True, stdout=-3, stderr=-3, timeout=60)\n"
        ),
        "imports 'subprocess'", crash(Check.LOAD, "CalledProcessError|TimeoutExpired"),
    ),
    Planted(
        37, "pickled-result", "an array file that runs code where it is read",
        public(
            "line = gc_line()",
            "stream = io.BytesIO()",
            "numpy.save(stream, numpy.array([Bomb()], dtype=object), allow_pickle=True)",
            "y = forward(x)",
            "for name in ('plain_y', 'turn0_y'):",
            "    head = f'case0/{name}'.encode() + bytes([10])",
            "    send(line._writing, Frame.ARRAY, head + stream.getvalue())",
            "send(line._writing, Frame.RESULT, b'{\"check\":\"forward\",\"ended\":\"ran\"}')",
            "os._exit(0)",
            top=(
                "import gc, io, os\n\nimport numpy\n\n"
                "from rocm_pipeline.integration.inside.process import Line\n"
                "from rocm_pipeline.integration.inside.wire import Frame, send\n\n"
                "class Bomb:\n"
                "    def __reduce__(self):\n"
                "        return (os.abort, ())\n\n"
                "def gc_line():\n"
                "    return next(o for o in gc.get_objects() if isinstance(o, Line))\n"
            ),
        ),
        "imports 'gc'", crash(Check.FORWARD, "no usable array .*elements of type"),
    ),
    Planted(
        40, "crash", "dies in the middle of its work",
        public("ctypes.string_at(0)", "return forward(x)", top="import ctypes\n"),
        "imports 'ctypes'", crash(Check.FORWARD, "died of SIGSEGV"),
    ),
)  # fmt: skip
