"""Changing something outside. Settings of the kernel are only opened, never written."""

from rocm_pipeline.lab.sandbox import Limits
from tests.lab.sandbox.attacks.model import Attack

ATTACKS = (
    Attack("file in a public folder", "open(A['public'] + '/planted', 'w').close(); worked()"),
    Attack("system folder", "os.open('/usr/bin', os.O_TMPFILE | os.O_WRONLY); worked()"),
    Attack(
        "setting of the kernel", "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY); worked()"
    ),
    Attack(
        "setting of the network", "os.open('/proc/sys/net/ipv4/ip_forward', os.O_WRONLY); worked()"
    ),
    Attack(
        "memory of the machine's files",
        "os.open('/proc/sys/vm/drop_caches', os.O_WRONLY); worked()",
    ),
    Attack(
        "group of the control groups",
        "if any(attempt(lambda p=p: os.open(p, os.O_WRONLY)) for p in"
        " glob.glob('/sys/fs/cgroup/*/cgroup.procs') + ['/sys/fs/cgroup/cgroup.procs']): worked()",
    ),
    Attack(
        "shared memory by name", "if open(A['shm']).read(): open(A['shm'], 'r+').close(); worked()"
    ),
    Attack("mode of a file", "os.chmod(A['owned'], 0o777); worked()"),
    Attack("times of a file", "os.utime(A['owned'], (1, 1)); worked()"),
    Attack("attribute of a file", "os.setxattr(A['owned'], 'user.x', b'y'); worked()"),
    Attack("content through a writable file", "open(A['owned'], 'a').write('x'); worked()"),
    Attack("cutting a file", "os.truncate(A['owned'], 1); worked()"),
    Attack("removing a file", "os.unlink(A['removable']); worked()"),
    Attack(
        "device node of its own",
        "os.mknod('node', 0o20666, os.makedev(1, 11))\n"
        "os.open('node', os.O_RDONLY | os.O_NONBLOCK); worked()",
    ),
    Attack(
        "mounting over",
        "os.mkdir('m')\n"
        "call(272, 0x20000)\n"  # unshare(CLONE_NEWNS): the control's mount is its own
        "libc.mount(b'none', b'/', None, 0x44000, None)\n"
        "if libc.mount(b'none', b'm', b'tmpfs', 0, b'size=4k') == 0: worked()",
    ),
    Attack(
        "limits raised",
        "resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096)); worked()",
    ),
    Attack(
        "limits of another process",
        "resource.prlimit(A['victim'], resource.RLIMIT_CORE, (0, 0)); worked()",
    ),
    Attack(
        "priority of another process", "os.setpriority(os.PRIO_PROCESS, A['victim'], 5); worked()"
    ),
    Attack(
        "a full disk",
        "data = bytes(1 << 20)\n"
        "for number in range(64):\n"
        "    with open(f'fill{number}', 'wb') as file: file.write(data)\n"
        "    time.sleep(0.01)\n"
        "worked()",
        Limits(wall_seconds=10, box_bytes=8 << 20, file_bytes=4 << 20),
    ),
    Attack(
        "a huge number of files",
        "for number in range(4000):\n"
        "    open(f'n{number}', 'w').close()\n"
        "    if number % 100 == 0: time.sleep(0.01)\n"
        "time.sleep(0.3); worked()",
        Limits(wall_seconds=10, box_files=1000),
    ),
    Attack("one huge file", "with open('huge', 'wb') as file: file.truncate(1 << 40)\nworked()"),
)
