"""Reaching anyone: the listeners are ours, on loopback, and accept outside."""

from tests.lab.sandbox.attacks.model import Attack, refused_call

_CONNECTED = """
s = socket.socket(socket.AF_UNIX); s.settimeout(3)
s.connect(A['giver'][{kind!r}])
"""


def _taken(kind: str) -> Attack:
    """Get an open file from a listener outside: it is readable, whatever paths are closed."""
    return Attack(
        f"descriptor from a listener ({kind})",
        _CONNECTED.format(kind=kind) + "_, given, _, _ = socket.recv_fds(s, 1, 1)\n"
        "if A['canary'].encode() in os.pread(given[0], 200, 0): worked()",
    )


def _given(kind: str) -> Attack:
    """Hand the box to a listener outside, which could then read and fill it at any time."""
    return Attack(
        f"descriptor to a listener ({kind})",
        _CONNECTED.format(kind=kind) + "s.recv(1)\n"
        "socket.send_fds(s, [b'x'], [os.open('.', os.O_RDONLY)])\n"
        "if s.recv(3) == b'got': worked()",
    )


def _posted(kind: str, type: str) -> Attack:
    """A pair of datagram sockets needs no socket(), and each end can send to any address."""
    return Attack(
        f"descriptor by datagram of a pair ({kind}, {type})",
        f"s, _ = socket.socketpair(socket.AF_UNIX, socket.{type})\n"
        "rights = struct.pack('i', os.open('.', os.O_RDONLY))\n"
        "message = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]\n"
        f"if s.sendmsg([b'x'], message, 0, A['datagrams'][{kind!r}]): worked()",
    )


ATTACKS = (
    *(attack(kind) for attack in (_taken, _given) for kind in ("abstract", "path")),
    *(_posted(kind, type) for kind in ("abstract", "path") for type in ("SOCK_DGRAM", "SOCK_RAW")),
    Attack("TCP to loopback", "socket.create_connection(('127.0.0.1', A['tcp']), 3); worked()"),
    Attack("TCP over IPv6", "socket.create_connection(('::1', A['tcp6']), 3); worked()"),
    Attack(
        "UDP to loopback",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)\n"
        "s.sendto(b'x', ('127.0.0.1', A['udp'])); s.recv(1); worked()",
    ),
    Attack("listening", "socket.create_server(('127.0.0.1', 0)); worked()"),
    Attack("raw packets", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); worked()"),
    Attack("packets of the link", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); worked()"),
    Attack(
        "netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0)); worked()"
    ),
    Attack(
        "the hypervisor (vsock)", "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); worked()"
    ),
    Attack(
        "abstract socket", "socket.socket(socket.AF_UNIX).connect('\\0' + A['abstract']); worked()"
    ),
    Attack("socket by path", "socket.socket(socket.AF_UNIX).connect(A['socket']); worked()"),
    Attack(
        "shared memory segment",
        "libc.shmat.restype = ctypes.c_void_p\n"
        "where = libc.shmat(A['segment'], None, 0)\n"
        "attached = where != ctypes.c_void_p(-1).value\n"
        "if attached and ctypes.string_at(where, 6) == b'secret': worked()",
    ),
    Attack(
        "message queue",
        "buffer = ctypes.create_string_buffer(64)\n"
        "if call(70, A['queue'], buffer, 32, 0, 0o4000 | 0o40000): worked()",
    ),  # NOWAIT, COPY
    refused_call("express data path", "41, 44, 3, 0"),
)
