"""Values by content."""

from pathlib import Path

import pytest

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.records.store import StoreCorruptError
from rocm_pipeline.resources.artefacts import Artefacts, digest_of, pointer
from rocm_pipeline.targets.spec import Target
from tests.fakes.values import a_candidate, a_passing_evidence, a_target, an_exchange


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def a_kernel(target: Target) -> ChosenKernel:
    candidate = a_candidate(target, "ä \u2028 \x00 \\")
    task = make_plan(target, "c0ffee", ()).tasks[1]
    return ChosenKernel(
        target=target.name,
        candidate=candidate,
        evidence=a_passing_evidence(target, candidate),
        is_baseline=False,
        exchange=an_exchange(task),
        reason="best",
    )


@pytest.mark.parametrize("name", ["row_softmax", "flash_attention", "vae_decoder_block"])
def test_a_value_comes_back_as_it_was(home: Home, name: str) -> None:
    artefacts = Artefacts.open(home)
    target = a_target(name)
    artefacts.save("target/x", target)
    loaded = artefacts.load("target/x", Target)
    assert loaded == target
    assert list(loaded.tensors) == list(target.tensors)
    kernel = a_kernel(target)
    digest = artefacts.save("kernel/x", kernel)
    assert Artefacts.open(home).load("kernel/x", ChosenKernel) == kernel
    assert artefacts.load("kernel/x", ChosenKernel).evidence.id == kernel.evidence.id
    assert digest == digest_of(kernel)


def test_equal_values_are_one_blob_and_another_value_is_another(home: Home) -> None:
    artefacts = Artefacts.open(home)
    target = a_target()
    first = artefacts.save("kernel/a", a_kernel(target))
    assert artefacts.save("kernel/b", a_kernel(target)) == first
    changed = a_kernel(target).model_copy(update={"reason": "other"})
    assert artefacts.save("kernel/a", changed) != first
    assert artefacts.load("kernel/b", ChosenKernel).reason == "best"


def test_a_changed_blob_is_refused(home: Home) -> None:
    artefacts = Artefacts.open(home)
    digest = artefacts.save("target/x", a_target())
    blob = next(home.store.rglob(digest))
    blob.write_bytes(blob.read_bytes().replace(b"row_softmax", b"row_s0ftmax"))
    with pytest.raises(StoreCorruptError):
        artefacts.load("target/x", Target)


@pytest.mark.parametrize("damage", [b"\xff\x87", b"", b"../../etc/passwd"])
def test_a_damaged_pointer_is_refused_by_name(home: Home, damage: bytes) -> None:
    artefacts = Artefacts.open(home)
    digest = artefacts.save("target/x", a_target())
    (home.artefacts / "target" / "x").write_bytes(damage)
    assert not artefacts.holds("target/x", digest)
    with pytest.raises(UserError, match="artefacts/target/x: names no value"):
        artefacts.load("target/x", Target)


def test_what_was_never_made_says_so(home: Home) -> None:
    artefacts = Artefacts.open(home)
    assert artefacts.find("kernel", "row_softmax", ChosenKernel) is None
    with pytest.raises(UserError, match="has not been made yet"):
        artefacts.load("kernel/row_softmax", ChosenKernel)


def test_a_value_of_another_form_names_the_field(home: Home) -> None:
    artefacts = Artefacts.open(home)
    artefacts.save("kernel/x", a_target())
    with pytest.raises(UserError, match="does not fit this version of ChosenKernel") as raised:
        artefacts.load("kernel/x", ChosenKernel)
    # what the advice says to delete is what makes the stage count as lost
    Path(raised.value.where).unlink()
    assert not artefacts.has("kernel/x")


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b", "", "Softmax", "x" * 49])
def test_a_partition_that_is_no_target_s_name_touches_no_file(key: str) -> None:
    with pytest.raises(UserError, match="no name of a target"):
        pointer("kernel", key)
