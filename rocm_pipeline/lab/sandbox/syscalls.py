"""Linux system calls that the filter names, with their numbers on each machine type.

Numbers: the kernel's `asm/unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64).
`None` means that the machine type has no such call.
"""

from typing import NamedTuple


class Numbers(NamedTuple):
    x86_64: int | None
    aarch64: int | None


# Newer calls do not exist as far as the sandbox is concerned: the filter answers ENOSYS, and
# libraries fall back. Both machine types share one numbering from 424 on; 462 is mseal (6.10).
LAST_KNOWN = 462

FILTERED_BY_ARGUMENT = {
    "socket": Numbers(41, 198),
    "socketpair": Numbers(53, 199),
    "clone": Numbers(56, 220),
    "ioctl": Numbers(16, 29),
    "prlimit64": Numbers(302, 261),
    "sched_setaffinity": Numbers(203, 122),
    "utimensat": Numbers(280, 88),
}

# Its flags are in memory, where a filter cannot look. ENOSYS makes libraries use clone().
ABSENT = {"clone3": Numbers(435, 435)}

_OTHER_PROCESSES = {
    "kcmp": Numbers(312, 272),
    "pidfd_getfd": Numbers(438, 438),
    "process_madvise": Numbers(440, 440),
    "process_mrelease": Numbers(448, 448),
    "process_vm_readv": Numbers(310, 270),
    "process_vm_writev": Numbers(311, 271),
    "ptrace": Numbers(101, 117),
}
_MOUNTS_AND_NAMESPACES = {
    "chroot": Numbers(161, 51),
    "fsconfig": Numbers(431, 431),
    "fsmount": Numbers(432, 432),
    "fsopen": Numbers(430, 430),
    "fspick": Numbers(433, 433),
    "listmount": Numbers(458, 458),
    "mount": Numbers(165, 40),
    "mount_setattr": Numbers(442, 442),
    "move_mount": Numbers(429, 429),
    "name_to_handle_at": Numbers(303, 264),
    "open_by_handle_at": Numbers(304, 265),
    "open_tree": Numbers(428, 428),
    "pivot_root": Numbers(155, 41),
    "setns": Numbers(308, 268),
    "statmount": Numbers(457, 457),
    "umount2": Numbers(166, 39),
    "unshare": Numbers(272, 97),
}
_KERNEL_INTERFACES = {
    "add_key": Numbers(248, 217),
    "bpf": Numbers(321, 280),
    "fanotify_init": Numbers(300, 262),
    "io_uring_enter": Numbers(426, 426),
    "io_uring_register": Numbers(427, 427),
    "io_uring_setup": Numbers(425, 425),
    "keyctl": Numbers(250, 219),
    "lookup_dcookie": Numbers(212, 18),
    "mbind": Numbers(237, 235),
    "memfd_secret": Numbers(447, 447),
    "migrate_pages": Numbers(256, 238),
    "modify_ldt": Numbers(154, None),
    "move_pages": Numbers(279, 239),
    "perf_event_open": Numbers(298, 241),
    "request_key": Numbers(249, 218),
    "set_mempolicy": Numbers(238, 237),
    "set_mempolicy_home_node": Numbers(450, 450),
    "syslog": Numbers(103, 116),
    "userfaultfd": Numbers(323, 282),
    "vhangup": Numbers(153, 58),
}
_ADMINISTRATION = {
    "acct": Numbers(163, 89),
    "adjtimex": Numbers(159, 171),
    "clock_adjtime": Numbers(305, 266),
    "clock_settime": Numbers(227, 112),
    "delete_module": Numbers(176, 106),
    "finit_module": Numbers(313, 273),
    "init_module": Numbers(175, 105),
    "ioperm": Numbers(173, None),
    "iopl": Numbers(172, None),
    "kexec_file_load": Numbers(320, 294),
    "kexec_load": Numbers(246, 104),
    "nfsservctl": Numbers(180, 42),
    "quotactl": Numbers(179, 60),
    "quotactl_fd": Numbers(443, 443),
    "reboot": Numbers(169, 142),
    "setdomainname": Numbers(171, 162),
    "sethostname": Numbers(170, 161),
    "settimeofday": Numbers(164, 170),
    "swapoff": Numbers(168, 225),
    "swapon": Numbers(167, 224),
    "sysfs": Numbers(139, None),
    "uselib": Numbers(134, None),
    "ustat": Numbers(136, None),
}

DENIED = _OTHER_PROCESSES | _MOUNTS_AND_NAMESPACES | _KERNEL_INTERFACES | _ADMINISTRATION

# Namespaces keep these apart; without them they are denied as well.
_IPC = {
    "mq_open": Numbers(240, 180),
    "mq_unlink": Numbers(241, 181),
    "msgctl": Numbers(71, 187),
    "msgget": Numbers(68, 186),
    "msgrcv": Numbers(70, 188),
    "msgsnd": Numbers(69, 189),
    "semctl": Numbers(66, 191),
    "semget": Numbers(64, 190),
    "semop": Numbers(65, 193),
    "semtimedop": Numbers(220, 192),
    "shmat": Numbers(30, 196),
    "shmctl": Numbers(31, 195),
    "shmget": Numbers(29, 194),
}
_SCHEDULING = {
    "ioprio_set": Numbers(251, 30),
    "sched_setattr": Numbers(314, 274),
    "sched_setparam": Numbers(142, 118),
    "sched_setscheduler": Numbers(144, 119),
    "setpriority": Numbers(141, 140),
}
_ATTRIBUTES_BY_PATH = {
    "chmod": Numbers(90, None),
    "chown": Numbers(92, None),
    "fchmodat": Numbers(268, 53),
    "fchmodat2": Numbers(452, 452),
    "fchownat": Numbers(260, 54),
    "futimesat": Numbers(261, None),
    "inotify_init": Numbers(253, None),
    "inotify_init1": Numbers(294, 26),
    "lchown": Numbers(94, None),
    "lremovexattr": Numbers(198, 15),
    "lsetxattr": Numbers(189, 6),
    "removexattr": Numbers(197, 14),
    "setxattr": Numbers(188, 5),
    "utime": Numbers(132, None),
    "utimes": Numbers(235, None),
}

_SOCKETS_BY_NAME = {
    "bind": Numbers(49, 200),
    "connect": Numbers(42, 203),
}

SHARED = _IPC | _SCHEDULING | _ATTRIBUTES_BY_PATH | _SOCKETS_BY_NAME
