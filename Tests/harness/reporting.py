"""What the suites report in the same way. A pytest plugin: conftest.py names it in `pytest_plugins`."""

from __future__ import annotations

import os
from typing import Callable

import pytest

_measured: list[str] = []


def note_measured(line: str) -> None:
    """Keeps a line for the end of the run: what a test has measured is worth reading also when it passes."""
    _measured.append(line)


@pytest.fixture
def measured() -> Callable[[str], None]:
    """`note_measured`."""
    return note_measured


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _measured:
        terminalreporter.section("measured")
        for line in _measured:
            terminalreporter.write_line(line)


def refuse_skip(report: pytest.TestReport) -> None:
    """Where everything is to run, as in CI, a test that lacks something has failed."""
    if report.skipped and os.environ.get("SUPERVISOR_STRICT"):
        report.outcome = "failed"
        report.longrepr = f"skipped: {report.longrepr}"
