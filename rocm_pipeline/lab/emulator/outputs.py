"""outputs.bin: what the driver says that the outputs hold.

An output that began as one byte repeated stands as a bit for each page, lowest first, and the pages
whose bit is set: a sample of a large launch leaves most as they were. Any other stands whole.
"""

import numpy as np
import numpy.typing as npt

from rocm_pipeline.lab.emulator.job import PAGE, Job
from rocm_pipeline.targets.dtypes import Array


def most_output_bytes(job: Job) -> int:
    """What outputs.bin holds at most, when every page of every output changed."""
    sizes = [job.buffers[name].nbytes for name in job.outputs]
    return len(job.rounds) * sum(size + _bitmap_bytes(size) for size in sizes)


def split_outputs(job: Job, data: bytes) -> tuple[dict[str, Array], ...]:
    """Cut outputs.bin into each round's arrays; raises ValueError where it cannot be that."""
    rest = memoryview(data)
    rounds: list[dict[str, Array]] = []
    for fills in job.fills:
        arrays: dict[str, Array] = {}
        for name in job.outputs:
            like, fill = job.buffers[name], fills[name]
            if fill is None:
                raw, rest = np.frombuffer(_taken(rest, like.nbytes), np.uint8), rest[like.nbytes :]
            else:
                raw, rest = _with_changed_pages(rest, like.nbytes, fill)
            arrays[name] = raw.view(like.dtype).reshape(like.shape)
        rounds.append(arrays)
    if rest:
        raise ValueError(f"outputs.bin has {len(rest)} bytes too many")
    return tuple(rounds)


def _with_changed_pages(
    data: memoryview, size: int, fill: int
) -> tuple[npt.NDArray[np.uint8], memoryview]:
    """Return an output's `size` bytes, and the rest of `data`."""
    bits = np.frombuffer(_taken(data, _bitmap_bytes(size)), np.uint8)
    pages = -(-size // PAGE)
    changed = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
    if changed.size and changed[-1] >= pages:
        raise ValueError(f"outputs.bin names page {changed[-1]} of {pages}")
    # the last page may be cut short
    missing = pages * PAGE - size if changed.size and changed[-1] == pages - 1 else 0
    begin, length = bits.size, changed.size * PAGE - missing
    content = bytes(_taken(data[begin:], length)) + bytes(missing)
    raw = np.full(pages * PAGE, fill, np.uint8)
    raw.reshape(pages, PAGE)[changed] = np.frombuffer(content, np.uint8).reshape(-1, PAGE)
    return raw[:size], data[begin + length :]


def _taken(data: memoryview, size: int) -> memoryview:
    if len(data) < size:
        raise ValueError(f"outputs.bin lacks {size - len(data)} bytes")
    return data[:size]


def _bitmap_bytes(size: int) -> int:
    return -(-size // (PAGE * 8))
