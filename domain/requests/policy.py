"""The simple service policy: how soon a request is to be answered and resolved, in calendar time, by priority and category.

It stands until policies become records of their own; its name is kept with every target it set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

LOW, NORMAL, HIGH, URGENT = "low", "normal", "high", "urgent"
PRIORITIES = (LOW, NORMAL, HIGH, URGENT)
COMPLAINT = "complaint"
"""The category that has a stricter policy of its own."""
FIRST_RESPONSE, RESOLUTION = "first_response", "resolution"
KINDS = (FIRST_RESPONSE, RESOLUTION)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is promised: by priority, the time to the first response and the time to the resolution."""

    name: str
    times: Mapping[str, Mapping[str, timedelta]]

    def time(self, kind: str, priority: str) -> timedelta:
        """How long `kind` may take for a request of that priority."""
        return self.times[priority][kind]


def _times(first_response: int, resolution: int) -> Mapping[str, timedelta]:
    return {FIRST_RESPONSE: timedelta(hours=first_response), RESOLUTION: timedelta(hours=resolution)}


STANDARD = Policy("standard", {URGENT: _times(1, 8), HIGH: _times(4, 24), NORMAL: _times(8, 72), LOW: _times(24, 168)})
COMPLAINTS = Policy("complaint", {URGENT: _times(1, 4), HIGH: _times(2, 12), NORMAL: _times(4, 48), LOW: _times(8, 96)})


def policy_for(category: str) -> Policy:
    """The policy that a request of that category stands under, however its name is capitalised."""
    return COMPLAINTS if category.casefold() == COMPLAINT else STANDARD
