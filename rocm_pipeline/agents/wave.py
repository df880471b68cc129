"""Several answers to one question, from as many hosts as are free, taken as they come."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


def as_they_come(
    ask: Callable[[int], T], numbers: Sequence[int], failures: tuple[type[Exception], ...]
) -> Generator[T | Exception, None, None]:
    """Yield what `ask` returned for each number, or which of `failures` it raised.

    One number is asked for in the caller's own thread. When the caller stops, what was not begun is
    not begun; what was begun is waited for, since its answer goes on record.
    """

    def attempt(number: int) -> T | Exception:
        try:
            return ask(number)
        except failures as error:
            return error

    if len(numbers) == 1:
        yield attempt(numbers[0])
        return
    with ThreadPoolExecutor(len(numbers), thread_name_prefix="wave") as pool:
        asked = [pool.submit(attempt, number) for number in numbers]
        try:
            for future in as_completed(asked):
                yield future.result()
        finally:
            for future in asked:
                future.cancel()
