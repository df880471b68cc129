import os
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.records.store import Store, StoreCorruptError, sha256


def blob(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def test_a_blob_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = store.put(b"\x00\xff kernel")
    assert digest == sha256(b"\x00\xff kernel")
    assert store.get(digest) == b"\x00\xff kernel"
    assert store.get_text(store.put_text("Grüße")) == "Grüße"


def test_the_same_content_twice_is_one_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.put(b"same") == store.put(b"same")
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_equal_values_have_one_hash(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.put_json({"a": 1, "b": [2]}) == store.put_json({"b": [2], "a": 1})
    assert store.put_json({"a": 1}) != store.put_json({"a": 2})


@pytest.mark.parametrize("damage", [b"", b"kernel", b"kernel source!", b"kErnel source"])
def test_a_changed_blob_is_never_served(tmp_path: Path, damage: bytes) -> None:
    store = Store(str(tmp_path))
    digest = store.put(b"kernel source")
    blob(tmp_path, digest).write_bytes(damage)
    with pytest.raises(StoreCorruptError, match=digest) as refused:
        store.get(digest)
    assert isinstance(refused.value, UserError), "a command shows it as one line"


def test_putting_a_damaged_blob_again_mends_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = store.put(b"kernel source")
    blob(tmp_path, digest).write_bytes(b"kErnel source")
    store.put(b"kernel source")
    assert store.get(digest) == b"kernel source"


def test_an_absent_blob_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        Store(str(tmp_path)).get(sha256(b"never stored"))


def test_blobs_may_live_behind_any_fsspec_url() -> None:
    store = Store("memory://records-test/blobs")
    digest = store.put(b"in memory")
    assert Store("memory://records-test/blobs").get(digest) == b"in memory"


def test_an_unknown_kind_of_storage_is_a_user_error() -> None:
    with pytest.raises(UserError, match="nosuch://bucket"):
        Store("nosuch://bucket")


def test_a_file_where_the_folder_should_be_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file/store"):
        Store(str(tmp_path / "file/store"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to fill up")
def test_a_full_disk_leaves_no_half_written_blob(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))

    def full(handle: int, mode: str) -> object:
        os.close(handle)
        return open("/dev/full", mode, buffering=0)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", full)
        with pytest.raises(UserError, match="No space left on device") as caught:
            store.put(b"too much")
    assert str(tmp_path) in str(caught.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert store.get(store.put(b"too much")) == b"too much"
