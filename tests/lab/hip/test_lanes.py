"""What moves between lanes: builtins, cooperative groups, atomics with scopes."""

import numpy as np
import numpy.typing as npt
import pytest

from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start

WAVES = pytest.mark.parametrize("wave", [32, 64])

MOVES = """extern "C" __global__ void k(const int* x, int* y) {
  int i = threadIdx.x, v = x[i];
  int r[16] = {__builtin_amdgcn_readfirstlane(v), __builtin_amdgcn_readlane(v, 5),
    __builtin_amdgcn_ds_bpermute((i ^ 3) * 4, v), __builtin_amdgcn_ds_permute((i ^ 5) * 4, v),
    __builtin_amdgcn_ds_swizzle(v, 0x041f), __builtin_amdgcn_ds_swizzle(v, 0x80b1),
    __builtin_amdgcn_update_dpp(-1, v, 0x4e, 0xf, 0xf, false),
    __builtin_amdgcn_update_dpp(-1, v, 0x103, 0xf, 0xf, false),
    __builtin_amdgcn_update_dpp(-1, v, 0x112, 0xf, 0xf, true),
    __builtin_amdgcn_update_dpp(-1, v, 0x121, 0xf, 0xf, false),
    __builtin_amdgcn_update_dpp(-1, v, 0x140, 0x3, 0xf, false),
    __builtin_amdgcn_update_dpp(-1, v, 0x141, 0xf, 0x5, false),
    (int)__builtin_amdgcn_permlane16(7u, (unsigned)v, 0x76543210u, 0x89abcdefu, false, false),
    (int)__builtin_amdgcn_permlanex16(7u, (unsigned)v, 0x01234567u, 0xfedcba98u, false, false),
    (int)__builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(0x55555555u, 0u)),
    (int)__builtin_amdgcn_wavefrontsize()};
  for (int n = 0; n < 16; ++n) y[i * 16 + n] = r[n];
}"""


@WAVES
def test_builtins_move_what_they_say(bench: Bench, wave: int) -> None:
    x = np.random.default_rng(8).integers(-1000, 1000, 64).astype(np.int32)
    run = bench.run(
        MOVES, Start("k", ("x", "y")), {"x": x, "y": np.zeros((64, 16), np.int32)}, wave=wave
    )
    assert run.findings == ()
    i = np.arange(64)
    first, row, place = i // wave * wave, i & ~15, i & 15
    lane = i % wave
    eights = np.where(place < 8, place, 15 - (place - 8))  # 0..7, then f, e, ... of 0x89abcdef
    reverse = np.where(place < 8, 7 - place, place)
    dropped = np.where(place >= 2, x[np.maximum(i - 2, 0)], 0)
    exact = [
        x[first], x[first + 5], x[i ^ 3], x[i ^ 5], x[i ^ 1], x[i ^ 1],
        x[i ^ 2], np.where(place + 3 < 16, x[np.minimum(i + 3, 63)], -1), dropped,
        x[row | ((place - 1) & 15)], np.where(lane < 32, x[row | (15 - place)], -1),
        np.where(i // 4 % 2 == 0, x[(i & ~7) | (7 - (i & 7))], -1),
        x[row | eights], x[(row ^ 16) | reverse],
        (np.minimum(lane, 32) + 1) // 2 + np.maximum(lane - 32, 0), np.full(64, wave),
    ]  # fmt: skip
    for column, values in enumerate(exact):
        np.testing.assert_array_equal(run.outputs["y"][:, column], values, err_msg=str(column))


ARITHMETIC = """extern "C" __global__ void k(const unsigned* x, unsigned* y, float* f) {
  int i = threadIdx.x;
  unsigned a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2];
  typedef _Float16 two __attribute__((ext_vector_type(2)));
  unsigned r[11] = {__builtin_amdgcn_perm(a, b, 0x0d0c0805u), __builtin_amdgcn_alignbit(a, b, c),
    __builtin_amdgcn_alignbyte(a, b, c), __builtin_amdgcn_ubfe(a, 3, 9),
    (unsigned)__builtin_amdgcn_sbfe((int)a, 3, 9), __builtin_amdgcn_sad_u8(a, b, c),
    (unsigned)__builtin_amdgcn_sdot4((int)a, (int)b, (int)c, false),
    __builtin_amdgcn_udot4(a, b, c, false),
    (unsigned)__builtin_amdgcn_sdot8((int)a, (int)b, (int)c, false),
    __builtin_amdgcn_udot8(a, b, c, false),
    (unsigned)__builtin_amdgcn_sudot4(true, (int)a, false, (int)b, (int)c, false)};
  for (int n = 0; n < 11; ++n) y[11 * i + n] = r[n];
  float u = (float)i * 0.25f;
  two p = {(_Float16)u, (_Float16)1.5f}, q = {(_Float16)2.0f, (_Float16)u};
  f[3 * i] = __builtin_amdgcn_fractf(u - 3.1f);
  f[3 * i + 1] = __builtin_amdgcn_fmed3f(u, 2.0f, 7.0f);
  f[3 * i + 2] = __builtin_amdgcn_fdot2(p, q, 1.0f, false);
}"""


def _digits(x: int, bits: int, signed: bool) -> list[int]:
    parts = [x >> i & ((1 << bits) - 1) for i in range(0, 32, bits)]
    return [p - (1 << bits) if signed and p >> (bits - 1) else p for p in parts]


def _differences(a: int, b: int) -> int:
    pairs = zip(_digits(a, 8, False), _digits(b, 8, False), strict=True)
    return sum(abs(p - q) for p, q in pairs)


def _dot(a: int, b: int, c: int, bits: int, left: bool, right: bool) -> int:
    return c + sum(
        p * q for p, q in zip(_digits(a, bits, left), _digits(b, bits, right), strict=True)
    )


def test_builtins_compute_what_they_say(bench: Bench) -> None:
    x = np.random.default_rng(9).integers(0, 1 << 32, (64, 3), np.uint32)
    run = bench.run(
        ARITHMETIC, Start("k", ("x", "y", "f")),
        {"x": x.view(np.int32), "y": np.zeros((64, 11), np.int32), "f": np.zeros((64, 3), np.float32)},  # noqa: E501
    )  # fmt: skip
    assert run.findings == ()
    for row, (a, b, c) in enumerate(x.tolist()):
        both = a << 32 | b
        sign = 0xFF if b >> 15 & 1 else 0
        field = a >> 3 & 511
        exact = [
            0xFF << 24 | sign << 8 | (both >> 40 & 255), both >> (c & 31), both >> 8 * (c & 3),
            field, field - 512 * (field >> 8),
            c + _differences(a, b),
            _dot(a, b, c, 8, True, True), _dot(a, b, c, 8, False, False),
            _dot(a, b, c, 4, True, True), _dot(a, b, c, 4, False, False),
            _dot(a, b, c, 8, True, False),
        ]  # fmt: skip
        got = [int(v) & 0xFFFFFFFF for v in run.outputs["y"][row]]
        assert got == [v & 0xFFFFFFFF for v in exact]
    u = np.arange(64, dtype=np.float32) * np.float32(0.25)
    less = u - np.float32(3.1)
    np.testing.assert_array_equal(run.outputs["f"][:, 0], less - np.floor(less))
    np.testing.assert_array_equal(run.outputs["f"][:, 1], np.clip(u, 2, 7))
    np.testing.assert_array_equal(run.outputs["f"][:, 2], u * 2 + u * 1.5 + 1)


GROUPS = """#include <hip/hip_cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const int* x, int* y, float* f) {
  cg::thread_block block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  int i = (int)block.thread_rank(), v = x[i];
  y += i * 16;
  y[0] = cg::reduce(tile, v, cg::plus<int>());
  y[1] = cg::reduce(tile, v, cg::less<int>());
  y[2] = cg::reduce(tile, v, cg::bit_xor<int>());
  y[3] = cg::inclusive_scan(tile, v, cg::plus<int>());
  y[4] = (int)tile.ballot(v > 0);
  y[5] = tile.any(v > 900) + 2 * tile.all(v > -900);
  y[6] = tile.shfl(v, 3) + tile.shfl_xor(v, 5);
  y[7] = tile.shfl_up(v, 2) - tile.shfl_down(v, 4);
  y[8] = (int)(tile.meta_group_rank() * 100 + tile.thread_rank());
  block.sync();
  if (v > 0) {
    auto group = cg::coalesced_threads();
    y[9] = (int)group.size();
    y[10] = (int)group.thread_rank();
    y[11] = group.shfl(v, 1);
    y[12] = cg::reduce(group, v, cg::plus<int>());
    y[13] = (int)__popcll(group.ballot(v > 300));
    y[14] = group.shfl_up(v, 1);
  }
  y[15] = (int)(block.size() + tile.size());
  f[i] = cg::reduce(tile, (float)v, cg::greater<float>());
}"""


@WAVES
def test_cooperative_groups_inside_a_block(bench: Bench, wave: int) -> None:
    x = np.random.default_rng(10).integers(-1000, 1000, 64).astype(np.int32)
    x[::16] = 7
    run = bench.run(
        GROUPS, Start("k", ("x", "y", "f"), block=(16, 4, 1)),
        {"x": x, "y": np.full((64, 16), -1, np.int32), "f": np.zeros(64, np.float32)}, wave=wave,
    )  # fmt: skip
    assert run.findings == ()
    i = np.arange(64)
    tiles: npt.NDArray[np.int32] = x.reshape(4, 16)
    bits = ((tiles > 0) << np.arange(16)).sum(1)
    place, base = i % 16, i // 16 * 16
    exact = np.full((64, 16), -1)
    exact[:, 0] = tiles.sum(1)[i // 16]
    exact[:, 1] = tiles.min(1)[i // 16]
    exact[:, 2] = np.bitwise_xor.reduce(tiles, axis=1)[i // 16]
    exact[:, 3] = np.cumsum(tiles, axis=1).ravel()
    exact[:, 4] = bits[i // 16]
    exact[:, 5] = np.any(tiles > 900, axis=1, keepdims=True).repeat(16) + 2 * np.all(
        tiles > -900, axis=1, keepdims=True
    ).repeat(16)
    exact[:, 6] = x[base + 3] + x[i ^ 5]
    exact[:, 7] = np.where(place >= 2, x[np.maximum(i - 2, 0)], x) - np.where(
        place < 12, x[np.minimum(i + 4, 63)], x
    )
    exact[:, 8] = i // 16 * 100 + place
    exact[:, 15] = 64 + 16
    for begin in range(0, 64, wave):
        members = begin + np.flatnonzero(x[begin : begin + wave] > 0)
        exact[members, 9] = members.size
        exact[members, 10] = np.arange(members.size)
        exact[members, 11] = x[members[1]]
        exact[members, 12] = x[members].sum()
        exact[members, 13] = (x[members] > 300).sum()
        exact[members, 14] = x[np.concatenate([members[:1], members[:-1]])]
    np.testing.assert_array_equal(run.outputs["y"], exact)
    np.testing.assert_array_equal(run.outputs["f"], tiles.max(1)[i // 16])


ATOMICS = """extern "C" __global__ void k(int* i, unsigned long long* u, float* f) {
  int t = threadIdx.x;
  atomicAdd_system(&i[0], t); atomicMax_block(&i[1], t); atomicCAS_system(&i[2], t, t + 1);
  __hip_atomic_fetch_add(&i[3], 2, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_min(&i[4], -t, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
  __hip_atomic_fetch_or(&i[5], 1 << t, __ATOMIC_ACQ_REL, __HIP_MEMORY_SCOPE_SYSTEM);
  int expected = t;
  bool won = __hip_atomic_compare_exchange_strong(
      &i[6], &expected, t + 1, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  atomicAdd(&i[7], won + (expected == t));
  __hip_atomic_store(&i[8], 9, __ATOMIC_RELEASE, __HIP_MEMORY_SCOPE_AGENT);
  int seen = __hip_atomic_load(&i[8], __ATOMIC_ACQUIRE, __HIP_MEMORY_SCOPE_AGENT);
  atomicAdd(&i[9], seen);
  atomicXor_system(&u[0], 1ull << t); unsafeAtomicMax(&f[0], (float)t);
  unsafeAtomicAdd(&f[1], 0.5f);
  unsafeAtomicMin(&f[2], -0.5f * (float)t);
}"""


@WAVES
def test_atomics_with_scopes(bench: Bench, wave: int) -> None:
    buffers = {
        "i": np.zeros(10, np.int32),
        "u": np.zeros(1, np.int64),
        "f": np.zeros(3, np.float32),
    }
    run = bench.run(ATOMICS, Start("k", ("i", "u", "f"), block=(32, 1, 1)), buffers, wave=wave)

    assert run.findings == ()
    assert list(run.outputs["i"]) == [496, 31, 32, 64, -31, -1, 32, 64, 9, 288]
    assert list(run.outputs["u"]) == [(1 << 32) - 1]
    assert list(run.outputs["f"]) == [31, 16, -15.5]


def test_an_assertion_that_does_not_hold_ends_the_kernel(bench: Bench) -> None:
    source = """extern "C" __global__ void k(int* y) { y[0] = 1; assert(threadIdx.x < LIMIT); }"""
    buffers = {"y": np.zeros(1, np.int32)}
    passed = bench.run(source.replace("LIMIT", "64"), Start("k", ("y",)), buffers)
    failed = bench.run(source.replace("LIMIT", "63"), Start("k", ("y",)), buffers)

    assert passed.findings == ()
    assert failed.status is Status.CRASHED


def test_each_assertion_is_a_finding_with_its_own_line_and_work_item(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const int* x) {
  assert(x[0] == 1 || threadIdx.x < 7);

  assert(x[0] == 2 || threadIdx.x < 9);
}"""
    for value, line, thread in ((2, 3, 7), (1, 5, 9)):
        buffers = {"x": np.array([value], np.int32)}
        (finding,) = bench.run(source, Start("k", ("x",)), buffers).findings
        assert finding.message == "assertion failed: the condition of this assert() does not hold"
        assert (finding.line, finding.thread) == (line, (thread, 0, 0))
        assert finding.status is Status.CRASHED
