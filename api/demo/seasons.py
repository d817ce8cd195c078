"""How busy a day is: months, weekdays, and the company's growth."""

from dataclasses import dataclass
from datetime import date, timedelta

from api.demo.working_time import SATURDAY, closed_for_the_year

MONTHS = (0.92, 0.97, 1.12, 1.03, 1.02, 1.06, 0.84, 0.70, 1.12, 1.12, 1.16, 0.92)
"""New business by month: a slow summer, budgets to be spent in autumn."""
WEEKDAYS = (1.08, 1.12, 1.06, 1.0, 0.74, 0.16, 0.10)
GROWTH = 1.7
"""New business on the last day against the first."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """The years that are simulated."""

    start: date
    days: int

    def new_business(self, day: date) -> float:
        """How many inquiries come on a day, against an average day at the beginning."""
        grown: float = GROWTH ** ((day - self.start).days / self.days)
        return grown * MONTHS[day.month - 1] * self.service(day)

    def service(self, day: date) -> float:
        """How many customers need help on a day, against an average day."""
        quiet = 0.25 if closed_for_the_year(day) else 1.0
        return WEEKDAYS[day.weekday()] * quiet / (sum(WEEKDAYS) / 7)

    def part(self, share: float) -> date:
        """The day after that share of the time; a Sunday or Saturday becomes the Monday after."""
        day = self.start + timedelta(days=int(self.days * share))
        return day + timedelta(days=7 - day.weekday()) if day.weekday() >= SATURDAY else day
