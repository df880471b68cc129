"""Every attack against every mechanism, and against nothing at all, where each must work."""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import (
    Completed,
    Limits,
    ResultRefused,
    Sandbox,
    cgroups,
    temporary_box,
)
from rocm_pipeline.lab.sandbox.landlock import LandlockMechanism
from rocm_pipeline.lab.sandbox.sandbox import complaints_about, mechanisms
from tests.conftest import RecordFigure
from tests.lab.sandbox.attacks import files, kernel, network, secrets, writing
from tests.lab.sandbox.attacks.model import PRELUDE, WORKED
from tests.lab.sandbox.attacks.registry import ATTACKS
from tests.lab.sandbox.attacks.starts import product_starts
from tests.lab.sandbox.attacks.world import CANARY, world
from tests.scale import is_long

WITHOUT_ROOT = "landlock without root"
"""All that one has who is not root and can make no user namespace; as root we only leave it out."""

MECHANISMS = ("bubblewrap", "landlock", WITHOUT_ROOT)
World = dict[str, object]

pytestmark = [
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="the attacks use x86-64's system-call numbers"
    ),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="the controls (raw packets, mounts, reboot calls) need root"
    ),
]


@pytest.fixture(scope="module")
def zig() -> Path:
    import ziglang

    return Path(str(ziglang.__file__)).parent


@pytest.fixture(scope="module")
def surroundings(zig: Path) -> Iterator[World]:
    with world([str(zig / "zig"), "clang"]) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_SECRET", CANARY)
        yield found


ABOUT_FILES = {attack.name for module in (secrets, writing, network) for attack in module.ATTACKS}
PAIRS = [
    (mechanism, name)
    for mechanism in MECHANISMS
    for name in ATTACKS
    # in the rest it does not differ from Landlock as root
    if mechanism != WITHOUT_ROOT or name in ABOUT_FILES or ATTACKS[name].holds_not or is_long()
]


@pytest.fixture(scope="module", params=MECHANISMS if is_long() else MECHANISMS[:2])
def contained(request: pytest.FixtureRequest) -> Sandbox:
    # Not skipped when absent: a mechanism that nobody attacked must not look attacked.
    mechanism = next(each for each in mechanisms() if request.param.startswith(each.name))
    if request.param == WITHOUT_ROOT:
        mechanism = LandlockMechanism(cgroups.usable(), own_files=False)
    assert complaints_about(mechanism) == []
    return Sandbox(mechanism)


def inside(
    sandbox: Sandbox,
    program: str,
    surroundings: World,
    zig: Path,
    interpreter: dict[str, Path],
    box: Path,
    **options: object,
) -> Completed:
    told = {
        **surroundings,
        "mechanism": sandbox.mechanism,
        "starts": product_starts(),
        "clang": ["/toolchain/zig", "clang"],
    }
    return sandbox.run(
        [_python(), "-I", "-S", "-c", program, json.dumps(told)],
        box=box,
        readonly={**interpreter, "/toolchain": zig},
        **options,  # pyright: ignore[reportArgumentType]
    )


_controls: dict[str, bool] = {}


def works_outside(name: str, program: str, surroundings: World) -> bool:
    """Whether the same program does its harm with no sandbox around it; tried once."""
    if name not in _controls:
        with tempfile.TemporaryDirectory() as folder:
            _controls[name] = WORKED in outside(program, surroundings, Path(folder))
    return _controls[name]


def outside(program: str, surroundings: World, folder: Path) -> str:
    told = {**surroundings, "mechanism": "outside", "starts": {"careless": []}}
    with open(str(surroundings["secret"]), "rb") as held:
        done = subprocess.run(
            [_python(), "-I", "-S", "-c", program, json.dumps(told)],
            cwd=folder,
            # what a careless launcher hands on
            pass_fds=[held.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
        )
    return done.stdout


def _python() -> str:
    return str(Path(sys.base_prefix, "bin", "python3"))


def record(
    record_figure: RecordFigure, sandbox: Sandbox, name: str, *, contained: bool, control: bool
) -> None:
    """The line that `make show-trust` counts."""
    label = label_of(sandbox)
    known = name in ATTACKS and label in ATTACKS[name].holds_not
    verdict = "contained" if contained else "known_limit" if known else "escaped"
    word = "control_ok" if control else "control_failed"
    record_figure("attack", f"{label}/{name}:{verdict}:{word}")


def label_of(sandbox: Sandbox) -> str:
    """Return the name of a mechanism in `MECHANISMS`."""
    bare = sandbox.mechanism == "landlock" and "own files" not in sandbox.identity
    return WITHOUT_ROOT if bare else sandbox.mechanism


@pytest.mark.parametrize(("contained", "name"), PAIRS, indirect=["contained"])
def test_an_attack_works_outside_and_not_inside(
    contained: Sandbox,
    name: str,
    surroundings: World,
    zig: Path,
    interpreter: dict[str, Path],
    record_figure: RecordFigure,
) -> None:
    attack = ATTACKS[name]
    # The descriptor is there to be inherited, as a careless launcher would.
    with open(str(surroundings["secret"]), "rb") as held, temporary_box() as box:
        os.set_inheritable(held.fileno(), True)
        done = inside(
            contained, attack.program, surroundings, zig, interpreter, box, limits=attack.limits
        )
    holds = WORKED not in done.stdout
    control = works_outside(name, attack.program, surroundings)
    record(record_figure, contained, name, contained=holds, control=control)
    assert control, "it does not work outside either, so it proves nothing"
    assert "SyntaxError" not in done.stderr
    # Where a mechanism cannot hold, the data says so, and must stay true.
    assert holds == (label_of(contained) not in attack.holds_not), (done, attack.holds_not)


@pytest.mark.parametrize("attack", files.ATTACKS, ids=lambda attack: attack.name)
def test_a_result_that_a_careless_reader_would_take_is_refused(
    contained: Sandbox,
    attack: files.FileAttack,
    surroundings: World,
    zig: Path,
    interpreter: dict[str, Path],
    tmp_path: Path,
    record_figure: RecordFigure,
) -> None:
    outside(attack.program, surroundings, tmp_path)
    control = attack.careless(tmp_path) is not None
    with temporary_box() as box:
        inside(contained, attack.program, surroundings, zig, interpreter, box, limits=attack.limits)
        try:
            attack.read(box)
        except ResultRefused:
            refused = True
        else:
            refused = False
    # The reader alone, without the copy in between, must refuse it just as well.
    if attack.name not in {"too many files", "too deep"}:
        with pytest.raises(ResultRefused):
            attack.read(tmp_path)
    record(record_figure, contained, attack.name, contained=refused, control=control)
    assert refused
    assert control


@pytest.mark.parametrize("name", kernel.LOADING)
def test_loading_code_into_the_kernel_is_not_permitted(
    contained: Sandbox,
    name: str,
    surroundings: World,
    zig: Path,
    interpreter: dict[str, Path],
    box: Path,
) -> None:
    program = (
        PRELUDE + f"try: call{kernel.LOADING[name]}\n"
        "except OSError as error: print(errno.errorcode[error.errno])"
    )
    done = inside(contained, program, surroundings, zig, interpreter, box)
    assert done.stdout == "EPERM\n"


DAEMON = (
    "pid = os.fork()\n"
    "if pid == 0:\n"
    "    os.setsid()\n"
    "    for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)\n"
    "    if os.fork(): os._exit(0)\n"
    "    for fd in (0, 1, 2): os.close(fd)\n"
    "    os.execv(sys.executable, [sys.executable, '-I', '-S', '-c',"
    " 'import time; time.sleep(20)', A['daemon']])\n"
    "time.sleep(A['stays'])\n"
)


@pytest.mark.parametrize(("name", "stays"), [("a daemon", 0.2), ("a daemon of a killed run", 30)])
def test_a_daemon_does_not_survive(
    contained: Sandbox,
    name: str,
    stays: float,
    surroundings: World,
    zig: Path,
    interpreter: dict[str, Path],
    box: Path,
    tmp_path: Path,
    record_figure: RecordFigure,
) -> None:
    marker = f"sandbox-daemon-{os.getpid()}-{contained.mechanism}-{stays}"
    program = PRELUDE + DAEMON
    told = {**surroundings, "daemon": marker, "stays": stays}
    inside(contained, program, told, zig, interpreter, box, limits=Limits(wall_seconds=1.5))
    survivors = _marked(marker)
    outside(program, {**told, "daemon": marker + "-outside", "stays": 0.2}, tmp_path)
    time.sleep(0.1)
    control = _marked(marker + "-outside")
    for pid in control:
        os.kill(pid, signal.SIGKILL)
    record(record_figure, contained, name, contained=not survivors, control=bool(control))
    assert control
    assert not survivors


def _marked(marker: str) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in words:
            found.append(int(folder.name))
    return found


def test_there_are_at_least_sixty_attacks_with_names_of_their_own() -> None:
    names = [*ATTACKS, *(attack.name for attack in files.ATTACKS), "a daemon"]
    assert len(names) == len(set(names))
    assert len(names) >= 60
