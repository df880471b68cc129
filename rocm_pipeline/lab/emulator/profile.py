"""The memory and arithmetic profile of one launch."""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rocm_pipeline.lab.emulator.build import EmulatorBuild, Site, SiteKind

_TOTALS = 11
_FIELDS = 9
_GLOBAL, _LDS = "global", "lds"


@dataclass(frozen=True)
class Traffic:
    """What one site of the program did in one kind of memory, over the blocks that ran.

    A request is one wave instruction: the k-th execution of the site by each lane of a wave since
    the wave last synchronised. `bank_cycles` are passes over 32 LDS banks of 4 bytes: 32 lanes at
    a time with accesses of 4 bytes, 16 with 8, 8 with 16 (`lds_group` in runtime/profile.cpp);
    `ideal_cycles` what they would be with the words spread evenly.
    """

    site: Site
    space: str
    """`global` or `lds`."""
    requests: int
    lanes: int
    bytes: int
    lines_64: int
    """Distinct lines of 64 bytes in each request, summed."""
    lines_128: int
    bank_cycles: int
    ideal_cycles: int
    dropped: int
    """Accesses beyond what the recorder holds; they are in none of the other figures."""
    serial: int
    """Atomics: the most work-items that met at one address, summed over requests."""

    @property
    def whole(self) -> float:
        """What to multiply the figures by to account for dropped accesses, as if like the rest."""
        return 1 + self.dropped / self.lanes if self.lanes else 1.0


@dataclass(frozen=True)
class Lines:
    """Distinct cache lines: `per_block` summed over the blocks, and `total` over the launch."""

    per_block_64: int
    per_block_128: int
    total_64: int
    total_128: int


@dataclass(frozen=True)
class LaunchProfile:
    """Counts over `blocks_run` of the launch's `blocks`; the caller scales them to the grid."""

    kernel: str
    blocks: int
    blocks_run: int
    waves_run: int
    threads_per_block: int
    barriers: int
    """Barriers, each counted once a block that passed it."""
    read: Lines
    written: Lines
    """Lines of global memory written; atomics are here."""
    traffic: tuple[Traffic, ...]
    operations: dict[str, int]
    """Operations of all work-items by kind (see operations.py)."""

    @property
    def scale(self) -> float:
        """What to multiply the counts by to get those of the whole grid."""
        return self.blocks / self.blocks_run

    def select(self, space: str, *kinds: SiteKind) -> Iterator[Traffic]:
        """The traffic in one kind of memory, of some kinds of site (all when none is named)."""
        for each in self.traffic:
            if each.space == space and (not kinds or each.site.kind in kinds):
                yield each

    @property
    def global_loads(self) -> float:
        """Global load instructions, counted once a wave."""
        return sum(each.requests * each.whole for each in self.select(_GLOBAL, SiteKind.LOAD))

    @property
    def global_stores(self) -> float:
        return sum(each.requests * each.whole for each in self.select(_GLOBAL, SiteKind.STORE))

    @property
    def global_atomics(self) -> float:
        """Atomics on global memory, counted once a work-item."""
        return sum(each.lanes * each.whole for each in self.select(_GLOBAL, SiteKind.ATOMIC))

    @property
    def transactions_64(self) -> float:
        """Lines of 64 bytes asked for by all global requests, atomics too."""
        return self.transactions_of(*SiteKind)

    def transactions_of(self, *kinds: SiteKind) -> float:
        """Lines of 64 bytes asked for by the global requests of some kinds of site."""
        return sum(each.lines_64 * each.whole for each in self.select(_GLOBAL, *kinds))

    def bytes_per_access(self, kind: SiteKind) -> float:
        """Bytes of one work-item's access to global memory, on average; 0 without any."""
        found = list(self.select(_GLOBAL, kind))
        lanes = sum(each.lanes for each in found)
        return sum(each.bytes for each in found) / lanes if lanes else 0.0

    @property
    def global_bytes(self) -> float:
        return sum(each.bytes * each.whole for each in self.select(_GLOBAL))

    @property
    def lds_requests(self) -> float:
        return sum(each.requests * each.whole for each in self.select(_LDS))

    @property
    def lds_cycles(self) -> float:
        return sum(each.bank_cycles * each.whole for each in self.select(_LDS))

    @property
    def lds_conflict_cycles(self) -> float:
        return sum(
            (each.bank_cycles - each.ideal_cycles) * each.whole for each in self.select(_LDS)
        )


@dataclass(frozen=True)
class ProfiledLaunch:
    """Which launch a piece of profile data belongs to."""

    kernel: str
    blocks: int
    threads_per_block: int


def profile_bytes(build: EmulatorBuild) -> int:
    """Size of one launch's profile as the driver writes it."""
    return 8 * (_TOTALS + 2 * (len(build.sites) + 1) * _FIELDS + len(build.operations))


def read_profile(build: EmulatorBuild, launch: ProfiledLaunch, data: bytes) -> LaunchProfile:
    """Decode what the driver wrote for one launch; raises ValueError when it cannot be true."""
    if len(data) != profile_bytes(build):
        raise ValueError(f"a profile of {len(data)} bytes instead of {profile_bytes(build)}")
    words = struct.unpack(f"={len(data) // 8}Q", data)
    totals, rest = words[:_TOTALS], words[_TOTALS:]
    if not 1 <= totals[0] <= launch.blocks:
        raise ValueError(f"a profile of {totals[0]} blocks of {launch.blocks}")
    rows = 2 * (len(build.sites) + 1) * _FIELDS
    return LaunchProfile(
        kernel=launch.kernel,
        blocks=launch.blocks,
        blocks_run=totals[0],
        waves_run=totals[1],
        threads_per_block=launch.threads_per_block,
        barriers=totals[2],
        read=Lines(*totals[3:7]),
        written=Lines(*totals[7:11]),
        traffic=tuple(_traffic(build, rest[:rows])),
        operations=_operations(build, rest[rows:]),
    )


def _traffic(build: EmulatorBuild, words: tuple[int, ...]) -> Iterator[Traffic]:
    for number, site in enumerate(build.sites, start=1):
        for offset, space in enumerate((_GLOBAL, _LDS)):
            begin = (2 * number + offset) * _FIELDS
            row = words[begin : begin + _FIELDS]
            if any(row):
                yield Traffic(site, space, *row)


def _operations(build: EmulatorBuild, executions: tuple[int, ...]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for mix, times in zip(build.operations, executions, strict=True):
        if times:
            counts.update({kind: number * times for kind, number in mix.items()})
    return dict(counts)
