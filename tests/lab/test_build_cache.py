"""What a cache entry survives: nothing but being what was asked for."""

from pathlib import Path

from rocm_pipeline.lab.build_cache import BuildCache

ONE, TWO = "11" * 32, "22" * 32


def _entry(folder: Path, key: str) -> Path:
    (path,) = folder.rglob(key)
    return path


def test_what_is_put_is_what_is_got(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    cache.put(ONE, b"content")

    assert cache.get(ONE) == b"content"
    assert cache.get(TWO) is None


def test_an_entry_in_anothers_place_reads_as_absent(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    cache.put(ONE, b"one")
    cache.put(TWO, b"two")
    _entry(tmp_path, ONE).write_bytes(_entry(tmp_path, TWO).read_bytes())

    assert cache.get(ONE) is None
    assert cache.get(TWO) == b"two"


def test_a_damaged_entry_reads_as_absent(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    cache.put(ONE, b"content" * 100)
    whole = _entry(tmp_path, ONE).read_bytes()

    for damaged in (b"", whole[:-1], whole[:10] + b"\0\0" + whole[12:]):
        _entry(tmp_path, ONE).write_bytes(damaged)
        assert cache.get(ONE) is None
