"""Several answers at once."""

import threading

from rocm_pipeline.agents.wave import as_they_come


def test_answers_come_in_the_order_in_which_they_end() -> None:
    second_is_in = threading.Event()

    def ask(number: int) -> int:
        if number == 1:
            assert second_is_in.wait(5)
        return number

    seen: list[int | Exception] = []
    for answer in as_they_come(ask, (1, 2), (ValueError,)):
        seen.append(answer)
        second_is_in.set()
    assert seen == [2, 1]


def test_one_failure_does_not_stop_the_others() -> None:
    def ask(number: int) -> int:
        if number == 2:
            raise ValueError("no answer")
        return number

    found = list(as_they_come(ask, (1, 2, 3), (ValueError,)))
    assert sorted(answer for answer in found if isinstance(answer, int)) == [1, 3]
    assert sum(isinstance(answer, ValueError) for answer in found) == 1


def test_one_alone_is_asked_in_the_callers_thread() -> None:
    me = threading.get_ident()
    assert list(as_they_come(lambda _: threading.get_ident(), (1,), ())) == [me]
