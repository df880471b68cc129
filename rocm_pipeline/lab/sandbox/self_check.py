"""Proof, before any agent-written code runs, that this machine's sandbox holds.

The questions are answered from inside a sandbox by a few system programs. They test that each
wall stands (the kernel may be built or configured without one), not that it is high enough: that
is what the attack tests are for.
"""

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rocm_pipeline.lab.sandbox.model import Completed

_PROBE = """
echo '== status'; cat /proc/self/status
echo '== limits'; cat /proc/self/limits
echo '== network'; cat /proc/net/dev
echo '== environ'; cat /proc/1/environ; echo
echo '== outside'; for path in /etc /root /home /var /sys; do test -e $path && echo $path; done
echo '== written'; for path in /usr/w /w /dev/w /proc/sys/kernel/core_pattern; do
  (: >> $path) 2> /dev/null && echo $path; done
echo '== processes'; echo /proc/[0-9]*
echo '== namespace'; unshare --user true 2>&1
echo '== end'
"""

_Sections = Mapping[str, str]


def failures(run_in: Callable[[list[str], Path], Completed]) -> list[str]:
    """What does not hold, in words; empty when the sandbox may be used."""
    with tempfile.TemporaryDirectory(prefix="sandbox-check-") as folder:
        done = run_in(["/bin/sh", "-c", _PROBE], Path(folder))
    sections = _sections(done.stdout)
    if done.returncode != 0 or list(sections) != re.findall(r"== (\w+)", _PROBE):
        return [f"the self-check ended with {done.returncode}: {done.stderr.strip()}"]
    return [complaint for complaint, holds in _WALLS.items() if not holds(sections)]


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _status(sections: _Sections, field: str) -> str:
    found = re.search(rf"^{field}:\s*(.*)$", sections["status"], re.MULTILINE)
    return "" if found is None else found[1].strip()


def _limited(sections: _Sections, name: str) -> bool:
    return re.search(rf"^{name} +\d+ +\d+ ", sections["limits"], re.MULTILINE) is not None


_WALLS: dict[str, Callable[[_Sections], bool]] = {
    "system calls are not filtered": lambda s: _status(s, "Seccomp") == "2",
    "new privileges can be gained": lambda s: _status(s, "NoNewPrivs") == "1",
    "it holds capabilities": lambda s: not int(_status(s, "CapPrm") + _status(s, "CapBnd"), 16),
    "it runs as root": lambda s: "0" not in _status(s, "Uid").split(),
    "memory is not limited": lambda s: _limited(s, "Max address space"),
    "the number of processes is not limited": lambda s: _limited(s, "Max processes"),
    "the network can be reached": lambda s: re.findall(r"(\S+):", s["network"]) in ([], ["lo"]),
    "the environment can be read": lambda s: not s["environ"].strip(),
    "folders of the machine can be seen": lambda s: not s["outside"],
    "folders of the machine can be written": lambda s: not s["written"],
    "other processes can be seen": lambda s: len(s["processes"].split()) <= 5,
    # Where namespaces are merely used up, the answer is another one.
    "the filter lets a denied system call pass": lambda s: "not permitted" in s["namespace"],
}
