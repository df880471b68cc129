"""Parts of the kernel that no kernel under test needs. Numbers are those of x86-64."""

from tests.lab.sandbox.attacks.model import Attack, refused_call

ATTACKS = (
    Attack(
        "io_uring",
        "parameters = ctypes.create_string_buffer(120)\ncall(425, 4, parameters); worked()",
    ),
    refused_call("bpf", "321, 0, 0, 0"),
    Attack("userfaultfd", "call(323, 0); worked()"),
    Attack("keyrings", "call(250, 0, -3, 1); worked()"),
    refused_call("keys", "248, 0, 0, 0, 0, 0"),
    refused_call("performance counters", "298, 0, 0, -1, -1, 0"),
    refused_call("file watches of the machine", "300, 0, 0"),
    refused_call("files by handle", "304, -1, 0, 0"),
    refused_call("names of handles", "303, -1, 0, 0, 0, 0"),
    Attack("user namespace", "call(272, 0x10000000); worked()"),
    Attack(
        "user namespace by clone",
        "pid = call(56, 0x10000000 | 17, 0, 0, 0, 0)\n"
        "if pid == 0: os._exit(0)\n"
        "os.waitpid(pid, 0); worked()",
    ),
    refused_call("clone3", "435, 0, 0"),
    Attack(
        "namespace of another process",
        "f = os.open('/proc/self/ns/net', os.O_RDONLY); reaches(308, f, 1); worked()",
    ),
    refused_call("mount", "165, 0, 0, 0, 0, 0"),
    refused_call("new mount interface", "430, 0, 0"),
    refused_call("open_tree", "428, -1, 0, 0"),
    refused_call("list of mounts", "458, 0, 0, 0, 0"),
    refused_call("what is mounted", "457, 0, 0, 0, 0"),
    refused_call("pivot_root", "155, 0, 0"),
    refused_call("chroot", "161, 0"),
    refused_call("swapping", "167, 0, 0"),
    refused_call("restarting the machine", "169, 0, 0, 0, 0"),
    refused_call("accounting", "163, 1"),
    refused_call("setting the clock", "227, 99, 0"),
    refused_call("name of the machine", "170, 0, -1"),
    refused_call("log of the kernel", "103, 99, 0, 0"),
    refused_call("disk quotas", "179, 0, 0, 0, 0"),
    refused_call("secret memory", "447, 99"),
    refused_call("segment table", "154, 0, 0, 0"),
    refused_call("memory placement", "237, 0, 0, 0, 0, 0, 0"),
    refused_call("typing into the terminal", "16, -1, 0x5412, 0"),
    refused_call("typing, with a high word", "16, -1, 0x100005412, 0"),
    refused_call("a call that nobody has looked at", "463, -1, 0, 0, 0, 0"),
    Attack(
        "32-bit system calls",
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        r"page.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')"
        "\n"  # mov eax, 20; int 0x80; ret
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n"
        "worked()",
    ),
    Attack("x32 system calls", "libc.syscall(ctypes.c_long(0x40000000 | 39)); worked()"),
    Attack(
        "x32 system calls, by instruction",
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        r"page.write(b'\xb8\x27\x00\x00\x40\x0f\x05\xc3')"
        "\n"  # mov eax, 0x40000027; syscall
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n"
        "worked()",
    ),
)

LOADING = {
    "loading a kernel": (246, 0, 0, 0, 0xFFFF),
    "loading a kernel from a file": (320, -1, -1, 0, 0, 0xFFFF),
    "loading a module": (175, 0, 0, 0),
    "loading a module from a file": (313, -1, 0, 0),
    "removing a module": (176, 0, 0),
    "ports of the machine": (172, 3),
}
"""Refused with EPERM inside. Some kernels lack them, so outside they may do nothing."""
