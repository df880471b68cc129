"""The book of hints: one for a plan, kept over processes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rocm_pipeline.records.hints import HintBook
from rocm_pipeline.records.records import Records


def opened(folder: Path) -> HintBook:
    records = Records.open(str(folder / "records.db"), str(folder / "store"))
    return HintBook(records.database, records.store)


def test_the_task_that_claims_first_has_the_hint_of_the_plan(tmp_path: Path) -> None:
    book = opened(tmp_path)
    assert book.claim("plan-1", target="t", task_id="a")
    assert book.claim("plan-1", target="t", task_id="a")
    assert not book.claim("plan-1", target="t", task_id="b")
    assert book.claim("plan-2", target="t", task_id="b")


def test_of_many_tasks_that_claim_at_once_one_has_it(tmp_path: Path) -> None:
    books = [opened(tmp_path) for _ in range(8)]

    def claim(number: int) -> bool:
        return books[number].claim("plan-1", target="t", task_id=f"task_{number}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1


def test_what_came_of_asking_is_kept_also_when_nothing_did(tmp_path: Path) -> None:
    book = opened(tmp_path)
    for plan, text in (("plan-1", "Guard the tail."), ("plan-2", "")):
        book.claim(plan, target="t", task_id="a")
        assert book.hint(plan) is None
        book.keep(plan, text, "a-1")
        assert opened(tmp_path).hint(plan) == text
    assert book.hint("plan-3") is None
