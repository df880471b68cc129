"""Catalogue 33: verdicts are printed, forged and patched, judges are ended."""

from rocm_pipeline.integration.job import Check
from tests.cheats.python.operators import at_import, public
from tests.cheats.python.planted import NEVER, Planted, cheat, crash


def _patch(number: int, name: str, statement: str, by_source: str, reason: str) -> Planted:
    how = f"replaces {name.removeprefix('patches-')}"
    planted = at_import(statement)
    return Planted(number, name, how, planted, by_source, cheat(Check.LOAD, reason))


CHEATS = (
    _patch(
        33, "patches-opcheck", "torch.library.opcheck = lambda *a, **k: {}\n",
        "assigns to the attribute 'opcheck'", r"replaced torch\.library\.opcheck",
    ),
    _patch(
        33, "patches-gradcheck", "torch.autograd.gradcheck = lambda *a, **k: True\n",
        "assigns to the attribute 'gradcheck'", r"replaced torch\.autograd\.gradcheck",
    ),
    _patch(
        33, "patches-assert-close", "torch.testing.assert_close = lambda *a, **k: None\n",
        "attribute 'testing'", r"replaced torch\.testing\.assert_close",
    ),
    _patch(
        33, "patches-builtins", "import builtins\n\nbuiltins.all = lambda _: True\n",
        "imports 'builtins'", r"replaced builtins\.all",
    ),
    _patch(
        33, "patches-json", "import json\n\njson.loads = lambda _: {}\n",
        "imports 'json'", r"replaced json\.loads",
    ),
    _patch(
        33, "patches-numpy", "import numpy\n\nnumpy.save = lambda *a, **k: None\n",
        "imports 'numpy'", r"replaced numpy\.save",
    ),
    _patch(
        33, "swaps-code",
        "from rocm_pipeline.integration.inside import tools\n\n"
        "tools.gradcheck_complaint.__code__ = (lambda *_: '').__code__\n",
        "imports from 'rocm_pipeline", r"replaced the code of .*gradcheck_complaint",
    ),
    _patch(
        33, "at-exit", "import atexit\n\natexit.register(print, 'PASSED')\n",
        "imports 'atexit'", r"called atexit\.register",
    ),
    _patch(
        33, "redirects-output",
        "import os\n\nos.dup2(os.open('/dev/null', os.O_WRONLY), 1)\n",
        "imports 'os'", "changed standard output",
    ),
    Planted(
        33, "sys-exit", "leaves with code 0 while it is imported",
        at_import("import sys\n\nsys.exit(0)\n"),
        "imports 'sys'", crash(Check.LOAD, "SystemExit: 0"),
    ),
    Planted(
        33, "os-exit", "ends its process with code 0 while it is imported",
        at_import("import os\n\nos._exit(0)\n"),
        "imports 'os'", crash(Check.LOAD, "ended by itself with code 0"),
    ),
    Planted(
        33, "raises-system-exit", "leaves by an exception that few catch",
        at_import("raise SystemExit(0)\n"),
        "at the top level|uses 'SystemExit'", crash(Check.LOAD, "SystemExit"),
    ),
    Planted(
        33, "prints-pass", "prints a verdict and computes nothing",
        public("print('PASS: all checks passed')", "return torch.zeros_like(x)"),
        "uses 'print'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        33, "writes-the-result-file", "leaves a result file that says that all is well",
        public(
            "os.makedirs('/box/0', exist_ok=True)",
            "ran = {'results': [{'check': 'forward', 'ended': 'ran'}]}",
            "open('/box/0/results.json', 'w').write(json.dumps(ran))",
            "return torch.softmax(x, -1)",
            top="import json\nimport os\n",
        ),
        "imports 'json'", cheat(Check.FORWARD, NEVER),
        alone=True,
    ),
    Planted(
        33, "writes-it-and-kills-the-judge", "leaves a result file and ends the judging process",
        at_import(
            "import json, os, signal\n\n"
            "os.makedirs('/box/0', exist_ok=True)\n"
            "with open('/box/0/results.json', 'w') as file:\n"
            "    file.write(json.dumps({'results': [{'check': 'load', 'ended': 'ran'}]}))\n"
            "os.kill(os.getppid(), signal.SIGKILL)\n"
        ),
        "imports 'json'", crash(Check.FORWARD, "ended early"),
        alone=True,
    ),
    Planted(
        33, "daemon-writes-the-result", "a process that lives on and writes the result at the end",
        at_import(
            "import os, time\n\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() == 0:\n"
            "        while True:\n"
            "            time.sleep(0.01)\n"
            "            os.makedirs('/box/0', exist_ok=True)\n"
            "            open('/box/0/results.json', 'w').write('{}')\n"
            "    os._exit(0)\n"
        ),
        "imports 'os'", cheat(Check.LOAD, r"called (posix|os)\.fork"),
        alone=True,
    ),
    Planted(
        33, "forges-the-message", "sends the judging process the message of a check that went well",
        public(
            "text = json.dumps({'check': 'forward', 'ended': 'ran'}).encode()",
            "for fd in range(3, 64):",
            "    with contextlib.suppress(OSError):",
            "        os.write(fd, struct.pack('>cI', b'z', len(text)) + text)",
            "os._exit(0)",
            top="import contextlib, json, os, struct\n",
        ),
        "imports 'contextlib'", cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        33, "opens-the-judges-memory", "reads and writes the judging process through /proc",
        at_import("import os\n\nopen(f'/proc/{os.getppid()}/mem', 'r+b')\n"),
        "imports 'os'", crash(Check.LOAD, "Permission denied"),
    ),
)  # fmt: skip
