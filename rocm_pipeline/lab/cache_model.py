"""What the caches make of a launch's requests: how many go to the L2, how many bytes to memory.

The recorded requests of each block (`emulator/trace.py`) are played through caches of the
architecture's sizes. Blocks are resident as the occupancy allows: a pool takes the next block of
the grid as soon as one of its own has ended. Each SIMD makes one request at a time, all SIMDs in
step; the oldest wave goes first and goes on until it has as many in flight as a wave can have, then
the next one does. So that blocks do not march in step, which no machine does for long, the first
ones begin one after the other over the life of one block.

    L1    one a pool, least recently used goes first; writes go through and take no room
    L2    one a domain (blocks go to domains in turn); least recently used, sets chosen by a hash
          of the address, as physical pages and channels make it; sectors of 64 bytes; a write takes
          room and fetches nothing; what was written goes to memory when it is driven out or
          at the launch's end
    last  the Infinity Cache, where there is one, for all domains

Caches are empty at the beginning. Not in the model: the shader arrays' L1 of RDNA, scalar and
instruction caches, how addresses are spread over channels, and prefetching.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from rocm_pipeline.lab.architectures import Architecture
from rocm_pipeline.lab.caches import Cache
from rocm_pipeline.lab.emulator import SiteKind
from rocm_pipeline.lab.emulator.trace import LINE_BYTES, Block, LaunchTrace, Request

_LAST_WAYS = 16
_MOST_IN_FLIGHT = 64
"""Requests of one wave: its counter (`vmcnt`) has 6 bits."""


@dataclass
class Counts:
    """What one launch, site or buffer asked of each level, in sectors of 64 bytes."""

    requested: float = 0
    """Distinct lines of each wave instruction, summed: what the L1 is asked for."""
    l2_reads: float = 0
    l2_writes: float = 0
    l2_read_misses: float = 0
    """Sectors that came from behind the L2."""
    memory_reads: float = 0
    memory_writes: float = 0

    def plus(self, other: "Counts", times: float = 1.0) -> "Counts":
        """Return these counts and `times` those of another."""
        return Counts(
            **{key: value + times * vars(other)[key] for key, value in vars(self).items()}
        )

    @property
    def memory_bytes(self) -> float:
        return (self.memory_reads + self.memory_writes) * LINE_BYTES


@dataclass(frozen=True)
class CacheTraffic:
    """The counts of a whole launch; scaled up when only some of its blocks were played."""

    total: Counts
    by_site: dict[int, Counts]
    by_buffer: dict[str, Counts]
    blocks_played: int
    blocks: int
    resident_blocks: int


@dataclass
class _Running:
    """A wave on a SIMD, and what it has yet to ask for."""

    block: int
    requests: deque[Request]
    in_flight: int = 0


@dataclass
class _Machine:
    """The caches, and what they counted, by site and buffer."""

    facts: Architecture
    trace: LaunchTrace
    kinds: Sequence[SiteKind]
    counts: dict[tuple[int, str], Counts] = field(default_factory=dict[tuple[int, str], Counts])

    def __post_init__(self) -> None:
        facts = self.facts
        l1_bytes = facts.l1_bytes * facts.compute_units_per_pool
        l1_ways = l1_bytes // facts.l1_line_bytes
        l2_bytes = facts.l2_bytes // facts.l2_domains
        self._l1 = [Cache(l1_bytes, facts.l1_line_bytes, l1_ways) for _ in range(facts.pools)]
        self._l2 = [
            Cache(l2_bytes, facts.l2_line_bytes, facts.l2_ways) for _ in range(facts.l2_domains)
        ]
        last = facts.infinity_cache_bytes
        self._last = Cache(last, LINE_BYTES, _LAST_WAYS) if last else None

    def ask(self, pool: int, request: Request) -> None:
        """Play one request of a block on `pool`."""
        kind = self.kinds[request.site]
        counts = self._counts_of(request)
        counts.requested += len(request.lines)
        l1, domain = self._l1[pool], self._l2[pool % self.facts.l2_domains]
        for line in request.lines:
            if kind is SiteKind.LOAD:
                for sector in l1.missing(line):
                    self._read(domain, sector, counts)
                continue
            if kind is SiteKind.ATOMIC:
                self._read(domain, line, counts)
            else:
                counts.l2_writes += 1
            counts.memory_writes += not domain.write(line)

    def totals(self) -> dict[tuple[int, str], Counts]:
        return {key: replace(each) for key, each in self.counts.items()}

    def _counts_of(self, request: Request) -> Counts:
        key = (request.site, self.trace.buffer_of(request.lines[0]))
        return self.counts.setdefault(key, Counts())

    def _read(self, domain: Cache, line: int, counts: Counts) -> None:
        counts.l2_reads += 1
        if domain.read(line):
            return
        counts.l2_read_misses += 1
        if self._last is None or not self._last.read(line):
            counts.memory_reads += 1


def play(
    trace: LaunchTrace,
    kinds: Sequence[SiteKind],
    facts: Architecture,
    *,
    blocks: int,
    played: int,
    blocks_per_pool: int,
) -> CacheTraffic:
    """Return what the caches make of a launch of `blocks`; the first `played` are in `trace`.

    `kinds` are those of the build's sites. Where not all blocks were traced, the rest is taken to
    be like the second half of them.
    """
    machine = _Machine(facts, trace, kinds)
    resident = min(max(blocks_per_pool, 1) * facts.pools, blocks)
    asked = sum(len(wave) for block in trace.blocks for wave in block)
    half: dict[tuple[int, str], Counts] = {}
    for number, (pool, request) in enumerate(_Grid(trace.blocks, facts, resident).in_turn()):
        if number == asked // 2:
            half = machine.totals()
        machine.ask(pool, request)
    return _scaled(machine, half, played, blocks, resident)


class _Grid:
    """Which wave makes its request when."""

    def __init__(self, blocks: Sequence[Block], facts: Architecture, resident: int) -> None:
        self._waiting = deque(enumerate(blocks))
        self._simds = facts.simds_per_pool
        self._queues: list[deque[_Running]] = [
            deque() for _ in range(facts.pools * facts.simds_per_pool)
        ]
        self._places = deque(self._first_places(blocks, facts.pools, resident))
        self._waves_left: dict[int, int] = {}
        self._waves = 0

    def in_turn(self) -> Iterator[tuple[int, Request]]:
        """Yield every request with the pool that makes it, in the order in which they are made."""
        time = 0
        while self._waiting or self._waves:
            self._begin_blocks(time)
            for number, queue in enumerate(self._queues):
                if queue:
                    pool = number // self._simds
                    yield pool, queue[0].requests.popleft()
                    self._go_on(queue, pool, time)
            time += 1

    def _first_places(
        self, blocks: Sequence[Block], pools: int, resident: int
    ) -> Iterator[tuple[int, int]]:
        longest = max((sum(len(wave) for wave in block) for block in blocks), default=0)
        life = longest * ceil(resident / pools) / self._simds
        for place in range(resident):
            yield int(place * life / resident), place % pools

    def _begin_blocks(self, time: int) -> None:
        while self._waiting and self._places and self._places[0][0] <= time:
            number, block = self._waiting.popleft()
            waves = [wave for wave in block if wave]
            if not waves:
                continue
            pool = self._places.popleft()[1]
            self._waves_left[number] = len(waves)
            self._waves += len(waves)
            for index, wave in enumerate(waves):
                queue = self._queues[pool * self._simds + index % self._simds]
                queue.append(_Running(number, deque(wave)))

    def _go_on(self, queue: deque[_Running], pool: int, time: int) -> None:
        wave = queue[0]
        wave.in_flight += 1
        if not wave.requests:
            queue.popleft()
            self._waves -= 1
            self._waves_left[wave.block] -= 1
            if not self._waves_left[wave.block]:
                self._places.append((time, pool))
        elif wave.in_flight == _MOST_IN_FLIGHT:
            wave.in_flight = 0
            queue.rotate(-1)


def _scaled(
    machine: _Machine,
    half: dict[tuple[int, str], Counts],
    played: int,
    blocks: int,
    resident: int,
) -> CacheTraffic:
    times = (blocks - played) / ceil(played / 2) if played else 0.0
    total = Counts()
    by_site: dict[int, Counts] = {}
    by_buffer: dict[str, Counts] = {}
    for (site, buffer), counts in machine.counts.items():
        later = counts.plus(half.get((site, buffer), Counts()), -1.0)
        whole = counts.plus(later, times)
        total = total.plus(whole)
        by_site[site] = by_site.get(site, Counts()).plus(whole)
        by_buffer[buffer] = by_buffer.get(buffer, Counts()).plus(whole)
    return CacheTraffic(total, by_site, by_buffer, played, blocks, resident)
