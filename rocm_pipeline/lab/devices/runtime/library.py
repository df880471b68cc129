"""Calling a driver's C library: every status is looked at, and said in the driver's own words."""

import ctypes
from collections.abc import Callable


class DriverError(Exception):
    """A call of the driver's failed; the text names the call and gives the driver's reason."""


class Library:
    """A shared library whose functions return 0, or a status that `words` explains."""

    def __init__(self, path: str, words: "Callable[[ctypes.CDLL, int], str]") -> None:
        try:
            self.functions = ctypes.CDLL(path)
        except OSError as error:
            raise DriverError(f"{path} cannot be loaded: {error}") from error
        self._words = words

    def call(self, name: str, *arguments: object) -> None:
        """Call one function; raises DriverError unless it returns 0."""
        status = self.function(name)(*arguments)
        if status:
            raise DriverError(f"{name}: {self._words(self.functions, status)} ({status})")

    def integer(self, name: str, *arguments: object) -> int:
        """Call a function that writes an `int` through its first parameter."""
        value = ctypes.c_int()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value

    def function(self, name: str) -> "Callable[..., int]":
        try:
            return getattr(self.functions, name)
        except AttributeError as error:
            raise DriverError(f"the driver has no function {name}") from error
