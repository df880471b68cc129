"""Caches and the model of them, against cases counted by hand."""

from collections.abc import Sequence

import pytest

from rocm_pipeline.lab.architectures import Architecture, architecture
from rocm_pipeline.lab.cache_model import CacheTraffic, play
from rocm_pipeline.lab.caches import Cache
from rocm_pipeline.lab.emulator import SiteKind
from rocm_pipeline.lab.emulator.trace import Block, BufferLines, LaunchTrace, Request

LOAD, STORE, ATOMIC = 0, 1, 2
KINDS = (SiteKind.LOAD, SiteKind.STORE, SiteKind.ATOMIC)
BUFFERS = (BufferLines("x", 0, 999_999), BufferLines("y", 1_000_000, 1_999_999))


def _small(**changes: object) -> Architecture:
    """One pool of one SIMD: L1 of 4 lines of 64 bytes, L2 of 16 lines of 128."""
    facts = {
        "compute_units": 1,
        "compute_units_per_pool": 1,
        "simds_per_compute_unit": 1,
        "l1_bytes": 256,
        "l1_line_bytes": 64,
        "l2_bytes": 2048,
        "l2_line_bytes": 128,
        "l2_ways": 16,
        "l2_domains": 1,
        "infinity_cache_bytes": 0,
    }
    return architecture("gfx90a").model_copy(update=facts | changes)


def _play(
    blocks: Sequence[Block], facts: Architecture | None = None, *, of: int = 0, resident: int = 1
) -> CacheTraffic:
    return play(
        LaunchTrace(tuple(blocks), BUFFERS),
        KINDS,
        facts or _small(),
        blocks=of or len(blocks),
        played=len(blocks),
        blocks_per_pool=resident,
    )


def _wave(site: int, *requests: Sequence[int]) -> tuple[Request, ...]:
    return tuple(Request(site, 64, 64 * len(lines), tuple(lines)) for lines in requests)


def test_a_stream_is_fetched_once() -> None:
    counts = _play([(_wave(LOAD, range(first, first + 8)),) for first in range(0, 80, 8)]).total

    assert (counts.requested, counts.l2_reads, counts.memory_reads) == (80, 80, 80)
    assert (counts.l2_writes, counts.memory_writes) == (0, 0)


def test_what_a_wave_reads_again_at_once_comes_from_the_l1() -> None:
    counts = _play([(_wave(LOAD, range(4), range(4), range(4)),)]).total

    assert (counts.requested, counts.l2_reads, counts.memory_reads) == (12, 4, 4)


def test_what_fits_into_the_l2_alone_is_fetched_once_and_read_there_again() -> None:
    counts = _play([(_wave(LOAD, range(32)),)] * 3).total

    assert (counts.requested, counts.l2_reads, counts.memory_reads) == (96, 96, 32)


def test_what_is_read_again_beyond_the_l2_is_fetched_again() -> None:
    # 17 lines go round in 16 places: the least recently used one is always the next one wanted.
    counts = _play([(_wave(LOAD, range(34)),)] * 3).total

    assert (counts.l2_reads, counts.memory_reads) == (102, 102)


def test_the_last_level_keeps_from_memory_what_the_l2_cannot_hold() -> None:
    facts = _small(infinity_cache_bytes=1 << 20)
    counts = _play([(_wave(LOAD, range(34)),)] * 3, facts).total

    assert (counts.l2_read_misses, counts.memory_reads) == (102, 34)


def test_a_line_of_the_l1_comes_whole() -> None:
    counts = _play([(_wave(LOAD, [0], [1], [2]),)], _small(l1_line_bytes=128)).total

    assert (counts.requested, counts.l2_reads) == (3, 4)


def test_what_is_written_goes_to_memory_once_and_is_not_fetched() -> None:
    traffic = _play([(_wave(STORE, range(1_000_000, 1_000_008), range(1_000_000, 1_000_008)),)])

    assert (traffic.total.l2_writes, traffic.total.memory_writes) == (16, 8)
    assert traffic.total.memory_reads == 0
    assert traffic.by_buffer["y"] == traffic.by_site[STORE] == traffic.total


def test_an_atomic_works_in_the_l2() -> None:
    counts = _play([(_wave(ATOMIC, [5], [5], [5]),)]).total

    assert (counts.l2_reads, counts.memory_reads, counts.memory_writes) == (3, 1, 1)


def test_blocks_side_by_side_share_what_blocks_one_after_the_other_lose() -> None:
    # Each block reads the same 40 sectors, one request each, more than the L2 holds.
    blocks = [(_wave(LOAD, *([n] for n in range(40))),)] * 2
    pools = _small(compute_units=2, l1_bytes=64)

    assert _play(blocks, _small(l1_bytes=64)).total.memory_reads == 80
    assert _play(blocks, pools).total.memory_reads < 80


def test_blocks_of_two_domains_fetch_a_line_twice() -> None:
    blocks = [(_wave(LOAD, range(8)),)] * 2
    facts = _small(compute_units=2, l2_domains=2, l2_bytes=4096)

    assert _play(blocks, facts).total.memory_reads == 16


def test_blocks_that_were_not_played_are_like_the_second_half() -> None:
    # All read the same first lines, and each a line of its own.
    blocks = [(_wave(LOAD, [0, 1], [100 + 2 * n]),) for n in range(10)]
    traffic = _play(blocks, of=100)

    assert traffic.total.memory_reads == pytest.approx(2 + 100)
    assert (traffic.blocks_played, traffic.blocks) == (10, 100)


def test_sites_and_buffers_add_up_to_the_whole() -> None:
    blocks = [
        (_wave(LOAD, range(n, n + 6)), _wave(STORE, range(1_000_000 + n, 1_000_006 + n)))
        for n in range(20)
    ]
    traffic = _play(blocks, _small(simds_per_compute_unit=2), resident=2)

    for parts in (traffic.by_site.values(), traffic.by_buffer.values()):
        for name, whole in vars(traffic.total).items():
            assert sum(vars(part)[name] for part in parts) == whole


def test_without_a_hash_lines_at_the_distance_of_a_way_drive_each_other_out() -> None:
    plain = Cache(4096, 64, 1, hashed=False)

    assert [plain.read(line) for line in (0, 64, 0, 1, 1)] == [False, False, False, False, True]
