"""A part of the tests: --part=2/3 runs every third test, from the second on. A pytest plugin, as `reporting` is.

What takes long is divided in this way among several sandboxes; see scripts/integration-test.
"""

from __future__ import annotations

import pytest


def part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise pytest.UsageError(f"--part={text}: not NUMBER/COUNT")
    return int(number), int(count)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", type=part, default=(1, 1), metavar="NUMBER/COUNT", help="run only these of all tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Last, so that what -k and -m have left is what is divided."""
    number, count = config.getoption("--part")
    chosen = items[number - 1 :: count]
    left_out = [item for index, item in enumerate(items) if index % count != number - 1]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen
