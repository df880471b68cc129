"""What untrusted code may not do. Every attack is also run outside, where it must work."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits

Attack = Callable[..., Completed]
Control = Callable[..., str]

WORKED = "WORKED\n"


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_network_is_refused(attack: Attack, control: Control, listener: int) -> None:
    code = (
        "import socket, sys\n"
        "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)\n"
        "print('WORKED')"
    )
    assert control(code, str(listener)) == WORKED
    done = attack(code, str(listener))
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_a_socket_of_the_machine_cannot_be_reached(attack: Attack, control: Control) -> None:
    name = f"sandbox-test-{os.getpid()}-{threading.get_ident()}"
    code = (
        "import socket, sys\n"
        "socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[1])\n"
        "print('WORKED')"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        assert control(code, name) == WORKED
        done = attack(code, name)
    assert "ConnectionRefusedError" in done.stderr


def test_a_secret_of_the_harness_is_not_visible(
    attack: Attack, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"canary-{os.getpid()}"
    monkeypatch.setenv("HARNESS_SECRET", secret)
    code = (
        "import glob, os\n"
        "found = str(os.environ)\n"
        "for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    try: found += open(path).read()\n"
        "    except OSError: pass\n"
        "print(len(found) > 50, '{}' in found)"
    ).replace("{}", secret[:6] + "' + '" + secret[6:])
    assert control(code) == "True True\n"
    assert attack(code).stdout == "True False\n"


def test_files_of_the_machine_cannot_be_read(
    attack: Attack, control: Control, tmp_path: Path
) -> None:
    planted = tmp_path / "secret"
    planted.write_text("x")
    code = "import sys; open(sys.argv[1]).read(); print('WORKED')"
    for path in (str(planted), "/etc/passwd", __file__, "/proc/1/root/etc/passwd"):
        if os.access(path, os.R_OK):
            assert control(code, path) == WORKED
        done = attack(code, path)
        assert done.stdout == "", path
        assert "FileNotFoundError" in done.stderr


def test_a_link_in_the_box_leads_nowhere(
    attack: Attack, control: Control, box: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    (box / "link").symlink_to(tmp_path / "secret")
    code = "import sys; open(sys.argv[1]).read(); print('WORKED')"
    assert control(code, str(box / "link")) == WORKED
    assert "FileNotFoundError" in attack(code, "/box/link").stderr


@pytest.mark.parametrize("folder", ["/", "/usr", "/dev", "/proc", "/proc/sys/kernel", "/etc"])
def test_nothing_can_be_written_outside_the_box(
    attack: Attack, control: Control, tmp_path: Path, folder: str
) -> None:
    code = "import sys; open(sys.argv[1] + '/planted', 'w'); print('WORKED')"
    assert control(code, str(tmp_path)) == WORKED
    assert attack(code, "/box").stdout == WORKED
    done = attack(code, folder)
    assert done.stdout == ""
    assert "Error" in done.stderr


def test_a_name_that_exists_on_the_machine_is_another_file_inside(
    attack: Attack, tmp_path: Path
) -> None:
    code = "import os, sys; os.makedirs(os.path.dirname(sys.argv[1])); open(sys.argv[1], 'w')"
    target = tmp_path / "planted"
    assert attack(code, str(target)).returncode == (0 if tmp_path.is_relative_to("/tmp") else 1)
    assert not target.exists()


def test_time_is_up_even_for_one_who_ignores_all_signals_and_talks(attack: Attack) -> None:
    code = (
        "import signal\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: print('talk' * 1000)"
    )
    done = attack(code, limits=Limits(wall_seconds=0.7, output_bytes=5000))
    assert done.timed_out
    assert 0.7 <= done.seconds < 3
    assert len(done.stdout) == 5000


def test_output_is_capped_for_each_stream(attack: Attack) -> None:
    code = "import sys; sys.stdout.write('a' * 300000); sys.stderr.write('b' * 10)"
    done = attack(code, limits=Limits(output_bytes=1000))
    assert (done.stdout, done.stderr) == ("a" * 1000, "b" * 10)
    assert done.truncated
    assert done.returncode == 0
    assert not attack(code, limits=Limits(output_bytes=300000)).truncated


def test_memory_is_limited(attack: Attack, control: Control) -> None:
    code = "import mmap; mmap.mmap(-1, 600 << 20); print('WORKED')"
    assert control(code) == WORKED
    assert attack(code).stdout == WORKED
    bomb = "held = []\nwhile True: held.append(bytearray(16 << 20))"
    limits = Limits(memory_bytes=256 << 20)
    assert attack(code, limits=limits).stdout == ""
    assert "MemoryError" in attack(bomb, limits=limits).stderr


def test_the_number_of_processes_is_limited(attack: Attack, control: Control) -> None:
    code = (
        "import os, signal, time\n"
        "kids = []\n"
        "try:\n"
        "    for _ in range(60):\n"
        "        pid = os.fork()\n"
        "        if pid == 0: time.sleep(60); os._exit(0)\n"
        "        kids.append(pid)\n"
        "except BlockingIOError: pass\n"
        "for pid in kids: os.kill(pid, signal.SIGKILL)\n"
        "print(len(kids))"
    )
    assert control(code) == "60\n"
    assert 20 <= int(attack(code).stdout) < 32


def test_files_and_memory_folders_are_limited(attack: Attack, control: Control) -> None:
    code = (
        "import os, sys\n"
        "for number in range(int(sys.argv[2])):\n"
        "    with open(f'{sys.argv[1]}/big{number}', 'wb') as file: file.write(bytes(600000))\n"
        "print('WORKED')"
    )
    limits = Limits(file_bytes=1 << 20)
    assert control(code, ".", "3") == WORKED
    assert attack(code, "/tmp", "1", limits=limits).stdout == WORKED
    assert "No space left" in attack(code, "/tmp", "3", limits=limits).stderr
    assert "No space left" in attack(code, "/dev/shm", "3", limits=limits).stderr
    big = "open('big', 'wb').write(bytes(3 << 20)); print('WORKED')"
    assert control(big) == WORKED
    assert "File too large" in attack(big, limits=limits).stderr


def test_processor_time_is_limited(attack: Attack) -> None:
    done = attack("while True: pass", limits=Limits(cpu_seconds=1))
    assert done.returncode == -9
    assert not done.timed_out


def test_limits_cannot_be_raised(attack: Attack, control: Control) -> None:
    code = (
        "import resource\n"
        "for name in ('NPROC', 'AS', 'CPU', 'FSIZE', 'NOFILE'):\n"
        "    which = getattr(resource, 'RLIMIT_' + name)\n"
        "    soft, hard = resource.getrlimit(which)\n"
        "    try: resource.setrlimit(which, (hard, hard + 1)); print(name)\n"
        "    except (ValueError, OSError): pass\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)); print('WORKED')"
    )
    assert control(code).endswith(WORKED)
    assert attack(code).stdout == WORKED


# Harmless calls: outside, none is refused with EPERM (some fail for their null arguments).
SYSTEM_CALLS = {
    "ptrace": "101, 0, 0, 0, 0",
    "process_vm_readv": "310, os.getpid(), 0, 0, 0, 0, 0",
    "keyctl": "250, 0, -3, 0",
    "io_uring_setup": "425, 1, 0",
    "kcmp": "312, os.getpid(), os.getpid(), 2, 0, 0",
    "name_to_handle_at": "303, -1, 0, 0, 0, 0",
    "unshare": "272, 0",
    "mount": "165, 0, 0, 0, 0, 0",
    "mbind": "237, 0, 0, 0, 0, 0, 0",
    "socket AF_NETLINK": "41, 16, 3, 0",
    "socket AF_VSOCK": "41, 40, 1, 0",
    "socketpair AF_TIPC": "53, 30, 1, 0, 0",
    "clone with a new user namespace": "56, 0x10000000, 0, 0, 0, 0",
    "ioctl TIOCSTI": "16, -1, 0x5412, 0",
    "ioctl TIOCSTI with a high word": "16, -1, 0x100005412, 0",
}

x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")


@x86_64
@pytest.mark.parametrize("call", SYSTEM_CALLS)
def test_a_system_call_of_the_deny_list_is_refused(
    attack: Attack, control: Control, call: str
) -> None:
    code = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"result = libc.syscall(*map(ctypes.c_long, ({SYSTEM_CALLS[call]},)))\n"
        "if result == 0 and 'namespace' in '" + call + "': os._exit(0)\n"
        "print('EPERM' if result < 0 and ctypes.get_errno() == 1 else 'WORKED')"
    )
    if "EPERM" in control(code):
        pytest.skip(f"{call} is refused outside as well, by this machine or its container")
    assert attack(code).stdout == "EPERM\n"


def test_a_child_cannot_be_traced(attack: Attack, control: Control) -> None:
    code = (
        "import ctypes, os, signal, time\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "pid = os.fork()\n"
        "if pid == 0: time.sleep(20); os._exit(0)\n"
        "result = libc.ptrace(16, pid, 0, 0)\n"  # PTRACE_ATTACH
        "os.kill(pid, signal.SIGKILL)\n"
        "print('WORKED' if result == 0 else ctypes.get_errno())"
    )
    if os.geteuid() == 0:  # elsewhere yama may forbid it outside too
        assert control(code) == WORKED
    assert attack(code).stdout == "1\n"


@x86_64
def test_calls_by_another_number_system_kill_the_caller(attack: Attack, control: Control) -> None:
    x32 = (
        "import ctypes\nctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))\nprint('WORKED')"
    )
    assert control(x32) == WORKED
    assert attack(x32).returncode == -31  # SIGSYS
    i386 = (
        "import ctypes, mmap\n"
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        r"page.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')" + "\n"  # mov eax, 20; int 0x80; ret
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n"
        "print('WORKED')"
    )
    if control(i386) == WORKED:  # the kernel has 32-bit calls
        assert attack(i386).returncode == -31


def test_processes_of_the_machine_cannot_be_seen_or_signalled(
    attack: Attack, control: Control
) -> None:
    code = (
        "import os, sys\n"
        "print(len([n for n in os.listdir('/proc') if n.isdigit()]) > 4)\n"
        "os.kill(int(sys.argv[1]), 0); print('WORKED')"
    )
    assert control(code, str(os.getpid())) == "True\nWORKED\n"
    done = attack(code, str(os.getpid()))
    assert done.stdout == "False\n"
    assert "ProcessLookupError" in done.stderr


def test_init_of_the_sandbox_cannot_be_killed_or_stopped(attack: Attack) -> None:
    code = (
        "import os, signal, time\n"
        "for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):\n"
        "    try: os.kill(1, number)\n"
        "    except PermissionError: pass\n"
        "time.sleep(0.2); print('ended')"
    )
    done = attack(code)
    assert (done.returncode, done.stdout, done.timed_out) == (0, "ended\n", False)


def test_a_setuid_program_gains_nothing(attack: Attack) -> None:
    code = "print(open('/proc/self/status').read())"
    status = dict(
        line.split(":\t", 1) for line in attack(code).stdout.splitlines() if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert status["CapBnd"] == status["CapPrm"] == "0" * 16
    assert status["Seccomp"] == "2"
