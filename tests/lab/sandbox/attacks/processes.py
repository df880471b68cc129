"""Touching other processes, outliving the run, using it up."""

from rocm_pipeline.lab.sandbox import Limits
from tests.lab.sandbox.attacks.model import Attack

ATTACKS = (
    Attack("signal to the harness", "os.kill(A['harness'], 0); worked()"),
    Attack("signal to a process", "os.kill(A['victim'], signal.SIGCONT); worked()"),
    Attack("tracing a process", "if libc.ptrace(0x4206, A['victim'], 0, 0) == 0: worked()"),
    Attack(
        "tracing a child",
        "pid = os.fork()\n"
        "if pid == 0: time.sleep(5); os._exit(0)\n"
        "result = libc.ptrace(0x4206, pid, 0, 0)\n"
        "os.kill(pid, 9)\n"
        "if result == 0: worked()",
    ),
    Attack(
        "memory of a process",
        "data = ctypes.create_string_buffer(8)\n"
        "local = struct.pack('QQ', ctypes.addressof(data), 8)\n"
        "remote = struct.pack('QQ', A['address'], 8)\n"
        "if call(310, A['victim'], local, 1, remote, 1, 0) == 8: worked()",
    ),
    Attack("memory of a process as a file", "open(f\"/proc/{A['victim']}/mem\", 'rb'); worked()"),
    Attack(
        "descriptor of a process",
        "handle = os.pidfd_open(A['victim']); call(438, handle, 0, 0); worked()",
    ),
    Attack("comparing processes", "call(312, os.getpid(), os.getpid(), 2, 0, 0); worked()"),
    Attack(
        "freezing what contains it",
        # a stopped init would no longer reap: its orphan would stay a zombie. Outside, asking is
        # enough; nothing is stopped there.
        "init = 1 if A['mechanism'] == 'bubblewrap' else os.getppid()\n"
        "os.kill(init, 0)\n"
        "if A['mechanism'] == 'outside': worked(); sys.exit()\n"
        "os.kill(init, signal.SIGSTOP)\n"
        "if os.fork() == 0:\n"
        "    if os.fork(): os._exit(0)\n"
        "    open('orphan', 'w').write(str(os.getpid())); os._exit(0)\n"
        "time.sleep(0.4)\n"
        "if os.path.exists('/proc/' + open('orphan').read()): worked()",
    ),
    Attack(
        "tracing what contains it",
        "inits = {'bubblewrap': 1, 'landlock': os.getppid(), 'outside': A['victim']}\n"
        "init = inits[A['mechanism']]\n"
        "if libc.ptrace(0x4206, init, 0, 0) == 0: worked()",
    ),
    Attack(
        "program without a file",
        # not harmful by itself: the program it makes stands behind the same walls
        "memory = os.memfd_create('program', 0)\n"
        "os.write(memory, open('/usr/bin/cat', 'rb').read())\n"
        "done = subprocess.run([f'/proc/self/fd/{memory}', A['secret']], pass_fds=[memory],\n"
        "                      capture_output=True, text=True)\n"
        "if A['canary'] in done.stdout: worked()",
    ),
    Attack(
        "many processes",
        "kids = []\n"
        "try:\n"
        "    for _ in range(50):\n"
        "        pid = os.fork()\n"
        "        if pid == 0: time.sleep(8); os._exit(0)\n"
        "        kids.append(pid)\n"
        "except OSError: pass\n"
        "for pid in kids: os.kill(pid, 9); os.waitpid(pid, 0)\n"
        "if len(kids) == 50: worked()",
        Limits(wall_seconds=10, processes=24),
    ),
    Attack(
        "many threads",
        "import threading\n"
        "over = threading.Event()\n"
        "threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(50)]\n"
        "started = 0\n"
        "try:\n"
        "    for thread in threads: thread.start(); started += 1\n"
        "except RuntimeError: pass\n"
        "over.set()\n"
        "if started == 50: worked()",
        Limits(wall_seconds=10, processes=24),
    ),
    Attack(
        "much memory",
        "memory = mmap.mmap(-1, 96 << 20); memory.write(bytes(96 << 20)); worked()",
        Limits(wall_seconds=10, memory_bytes=128 << 20),
    ),
    Attack(
        "much memory in files in memory",
        "memory = os.memfd_create('m')\n"
        "for _ in range(64): os.write(memory, bytes(1 << 20))\n"
        "worked()",
        Limits(wall_seconds=10, file_bytes=32 << 20),
    ),
    Attack(
        "endless computing",
        "end = time.process_time() + (0.3 if A['mechanism'] == 'outside' else 3)\n"
        "while time.process_time() < end: pass\n"
        "worked()",
        Limits(wall_seconds=10, cpu_seconds=1),
    ),
    Attack(
        "more than its time",
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "time.sleep(0.1 if A['mechanism'] == 'outside' else 5); worked()",
        Limits(wall_seconds=1),
    ),
    Attack(
        "a flood of output",
        "sys.stdout.write('x' * 200000); sys.stdout.flush(); worked()",
        Limits(wall_seconds=10, output_bytes=1000),
    ),
)
