"""When people work: offices in their time zones, their hours, weekends and quiet days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from api.demo.chance import Chance

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Hours:
    """The working hours of an office, Monday to Friday in its own time zone; nobody is in between Christmas and New Year."""

    zone: ZoneInfo
    opens: int = 8
    closes: int = 18

    def works_on(self, day: date) -> bool:
        """Whether it is a working day."""
        return day.weekday() < SATURDAY and not closed_for_the_year(day)

    def at_work(self, moment: datetime, chance: Chance) -> datetime:
        """That moment if somebody is in, otherwise a moment early in the next working day."""
        local = moment.astimezone(self.zone)
        if self.works_on(local.date()) and self.opens <= local.hour < self.closes:
            return moment
        day = local.date() if local.hour < self.opens else local.date() + timedelta(days=1)
        while not self.works_on(day):
            day += timedelta(days=1)
        morning = datetime.combine(day, time(self.opens), self.zone).astimezone(UTC)
        return morning + timedelta(seconds=int(min(chance.after(0.9), 6.0) * 3600))

    def days_later(self, moment: datetime, days: float, chance: Chance) -> datetime:
        """About so many days later, at some time of a working day; what falls on a weekend comes on one of the days after it or before it."""
        today = moment.astimezone(self.zone).date()
        day = (moment + timedelta(days=days)).astimezone(self.zone).date()
        while not self.works_on(day):
            day = max(today, day + timedelta(days=chance.whole(-2, 4)))
        hour = chance.between(self.opens + 0.4, self.closes - 0.4)
        then = datetime.combine(day, time(), self.zone).astimezone(UTC) + timedelta(seconds=int(hour * 3600))
        return self.at_work(max(then, moment + timedelta(minutes=3)), chance)

    def hours_later(self, moment: datetime, hours: float, chance: Chance) -> datetime:
        """When somebody has worked on it for so many hours: nights and weekends do not count."""
        moment = self.at_work(moment, chance)
        left = timedelta(seconds=int(hours * 3600))
        while True:
            local = moment.astimezone(self.zone)
            rest = datetime.combine(local.date(), time(self.closes), self.zone) - local
            if left < rest:
                return moment + left
            left -= max(rest, timedelta())
            moment = self.at_work(moment + max(rest, timedelta(minutes=1)), chance)


def closed_for_the_year(day: date) -> bool:
    """Whether offices are closed between Christmas and New Year."""
    return (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1)
