"""What a run leaves for its parent to read: each must be refused before anything is read of it."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from rocm_pipeline.lab.sandbox import Limits, read_array, read_json, read_result
from tests.lab.sandbox.attacks.model import PRELUDE

Read = Callable[[Path], object]


def _plain(name: str = "out") -> Read:
    return lambda box: read_result(box, name, 1 << 20)


def _json(box: Path) -> object:
    return read_json(box, "out", 1 << 20)


def _array(box: Path) -> object:
    return read_array(box, "out", 1 << 20)


def _open_plainly(box: Path) -> object:
    descriptor = os.open(box / "out", os.O_RDONLY | os.O_NONBLOCK)
    os.close(descriptor)
    return True


def _read_plainly(box: Path) -> object:
    return (box / "out").read_bytes()


def _parse_plainly(box: Path) -> object:
    return json.loads((box / "out").read_text())


def _load_plainly(box: Path) -> object:
    return np.load(box / "out", allow_pickle=True)


def _unpack_plainly(box: Path) -> object:
    """Write each member where its name says; return the first that lands elsewhere."""
    target = box / "unpacked"
    target.mkdir(exist_ok=True)
    with zipfile.ZipFile(box / "out") as archive:
        for name in archive.namelist():
            path = target / name
            path.write_bytes(archive.read(name))
            if not path.resolve().is_relative_to(target):
                path.unlink()
                return path
    return None


def _load_members(box: Path) -> object:
    """Take the names in an `.npz` for names of files, as a reader of several outputs may."""
    with np.load(box / "out", allow_pickle=False) as members:
        names = [name for name in members if not (box / name).resolve().is_relative_to(box)]
        return members[names[0]] if names else None


@dataclass(frozen=True)
class FileAttack:
    """`code` makes `out`; `read` must refuse it, `careless` would have taken it."""

    name: str
    code: str
    read: Read
    careless: Read
    limits: Limits = Limits(wall_seconds=10)  # noqa: RUF009

    @property
    def program(self) -> str:
        return PRELUDE + self.code


def _write(text: str) -> str:
    return f"open('out', 'w').write({text!r})"


_NPY = (
    "def npy(header, data=b''):\n"
    "    header = header.encode().ljust(118) + b'\\n'\n"
    "    open('out', 'wb').write(b'\\x93NUMPY\\x01\\x00' + struct.pack('<H', len(header))"
    " + header + data)\n"
)

_ZIP = (
    "import zipfile\n"
    "with zipfile.ZipFile('out', 'w') as archive: archive.writestr({name}, {content})"
)
_ARRAY = "bytes.fromhex({content!r})"


def _slips() -> Iterator["FileAttack"]:
    """Names that lead out of the folder an archive is unpacked in, by climbing or by root."""
    file = BytesIO()
    np.save(file, np.zeros(8, np.float32))
    array = _ARRAY.format(content=file.getvalue().hex())
    absolute = "A['public'] + '/planted-by-archive{end}'"
    for how, name in (("climbing", "'../planted{end}'"), ("absolute", absolute)):
        packed = _ZIP.format(name=name.format(end=""), content="'x'")
        arrays = _ZIP.format(name=name.format(end=".npy"), content=array)
        yield FileAttack(f"archive with a {how} name", packed, _array, _unpack_plainly)
        yield FileAttack(f"arrays with a {how} name", arrays, _array, _load_members)


ATTACKS = (
    *_slips(),
    FileAttack("link to a secret", "os.symlink(A['secret'], 'out')", _plain(), _read_plainly),
    FileAttack(
        "folder that is a link",
        "os.symlink(os.path.dirname(A['secret']), 'out')",
        _plain("out/secret"),
        lambda box: (box / "out" / "secret").read_bytes(),
    ),
    FileAttack("pipe", "os.mkfifo('out')", _plain(), _open_plainly),
    FileAttack("device", "os.mknod('out', 0o20666, os.makedev(1, 5))", _plain(), _open_plainly),
    FileAttack("link to a device", "os.symlink('/dev/zero', 'out')", _plain(), _open_plainly),
    FileAttack(
        "second name", "open('a', 'w').write('x'); os.link('a', 'out')", _plain(), _read_plainly
    ),
    FileAttack(
        "sparse file of 1 TB",
        "with open('out', 'w') as file: file.truncate(1 << 40)",
        _plain(),
        _open_plainly,
        Limits(wall_seconds=10, file_bytes=1 << 41),
    ),
    FileAttack(
        "larger than agreed", "open('out', 'w').write('x' * (2 << 20))", _plain(), _read_plainly
    ),
    FileAttack("folder", "os.mkdir('out')", _plain(), _open_plainly),
    FileAttack(
        "too many files",
        "for number in range(1200): open(f'n{number}', 'w').close()\n"
        "time.sleep(0.5); open('out', 'w').write('x')",
        _plain(),
        _read_plainly,
        Limits(wall_seconds=10, box_files=1000),
    ),
    FileAttack(
        "too deep",
        "for _ in range(100): os.mkdir('d'); os.chdir('d')\nopen('out', 'w').write('x')",
        _plain("d/" * 100 + "out"),
        lambda box: (box / ("d/" * 100 + "out")).read_bytes(),
    ),
    FileAttack("not a number in JSON", _write('{"time": NaN}'), _json, _parse_plainly),
    FileAttack("infinity in JSON", _write('{"time": -Infinity}'), _json, _parse_plainly),
    FileAttack("infinity by size in JSON", _write('{"time": 1e999}'), _json, _parse_plainly),
    FileAttack("one name twice in JSON", _write('{"a": 1, "a": 2}'), _json, _parse_plainly),
    FileAttack(
        "array of objects (pickle)",
        _NPY + "import pickle\n"
        "npy(\"{'descr': '|O', 'fortran_order': False, 'shape': (4,), }\","
        " pickle.dumps([0, 0, 0, 0]))",
        _array,
        _load_plainly,
    ),
    FileAttack(
        "pickle instead of an array",
        "import pickle; open('out', 'wb').write(pickle.dumps([1]))",
        _array,
        _load_plainly,
    ),
    FileAttack(
        "array of records",
        _NPY + "npy(\"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4,), }\","
        " bytes(32))",
        _array,
        _load_plainly,
    ),
    FileAttack(
        "archive instead of an array",
        _NPY + "import zipfile\n"
        "npy(\"{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }\", bytes(32))\n"
        "os.rename('out', 'a.npy')\n"
        "with zipfile.ZipFile('out', 'w') as archive: archive.write('a.npy')",
        _array,
        _load_plainly,
    ),
)
