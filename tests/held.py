"""What long tests found to hold, told when all are through."""

from collections.abc import Callable

import pytest

Held = Callable[[str], None]
"""Takes a sentence with the totals of a test."""


@pytest.fixture
def held(record_property: Callable[[str, object], None]) -> Held:
    """Says what held; told at the end of the run, by whichever process the test ran in."""
    return lambda said: record_property("held", said.strip())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A section with every sentence."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports if isinstance(report, pytest.TestReport)]
    sentences = [str(value) for report in reports for name, value in report.user_properties if name == "held" and report.when == "call"]
    if sentences:
        terminalreporter.section("what held")
        for sentence in sentences:
            terminalreporter.line(sentence)
