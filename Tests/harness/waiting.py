"""Waiting with a deadline."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], deadline: float, what: str) -> T:
    """Asks every 20 ms until `predicate` is true, and returns what it returned.

    `deadline` is in seconds. Whatever fails inside the predicate counts as "not yet", and is shown if it is still so at
    the end; SystemError alone means that there is nothing to wait for any more.
    """
    end = time.monotonic() + deadline
    last: object = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except SystemError:
            raise
        except Exception as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not within {deadline:g} s: {what} (last: {last!r})")
        time.sleep(0.02)


def stays(predicate: Callable[[], object], seconds: float, what: str) -> None:
    """Asserts that `predicate` is true now and all through `seconds`."""
    end = time.monotonic() + seconds
    while True:
        assert predicate(), f"no longer so: {what}"
        if time.monotonic() >= end:
            return
        time.sleep(0.02)
