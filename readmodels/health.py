"""How a customer is doing with us: good, to watch or at risk, by plain rules that each give their reason. See docs/figures.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

QUIET: Final = timedelta(days=90)
SILENT: Final = timedelta(days=180)
MANY_REQUESTS: Final = 3
ENOUGH_TARGETS: Final = 4
MISSED_SHARE: Final = 0.25
CSAT_POOR, CSAT_MIDDLING = 50.0, 75.0
NPS_POOR, NPS_MIDDLING = 0.0, 20.0
CES_POOR, CES_MIDDLING = 4.0, 5.0


class Verdict(StrEnum):
    """From best to worst."""

    GOOD = "good"
    WATCH = "watch"
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that applies: its stable code, how bad it is, and what was found."""

    code: str
    verdict: Verdict
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the rules look at. Figures are None where nobody answered."""

    lifecycle: str | None
    open_deals: int
    last_contact_at: datetime | None
    """The last call, e-mail, meeting or the like that was not only among ourselves; None when there was none."""
    registered_at: datetime | None
    open_requests: int
    overdue_requests: int
    targets_met: int
    targets_breached: int
    csat_percent: float | None
    nps: float | None
    ces_mean: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """The worst of the reasons; good without any."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def health(signs: Signs, now: datetime) -> Health:
    """The customer's health at `now`."""
    reasons = tuple(reason for rule in (_life, _contact, _service, _satisfaction) for reason in rule(signs, now))
    verdicts = {reason.verdict for reason in reasons}
    worst = Verdict.RISK if Verdict.RISK in verdicts else Verdict.WATCH if verdicts else Verdict.GOOD
    return Health(worst, reasons)


def _life(signs: Signs, _now: datetime) -> Iterator[Reason]:
    if signs.lifecycle == "churned":
        yield Reason("lifecycle.churned", Verdict.RISK, "the customer has churned")
    elif signs.lifecycle == "dormant":
        yield Reason("lifecycle.dormant", Verdict.WATCH, "the customer is dormant")


def _contact(signs: Signs, now: datetime) -> Iterator[Reason]:
    if not (signs.open_deals or signs.lifecycle in ("active", "won_back")):
        return
    since = signs.last_contact_at or signs.registered_at
    if since is None or now - since <= QUIET:
        return
    days = (now - since).days
    if signs.last_contact_at is None:
        yield Reason("contact.none", Verdict.WATCH, f"there has been no contact in the {days} days that we know the customer")
    elif now - since > SILENT:
        yield Reason("contact.silent", Verdict.RISK, f"the last contact was {days} days ago, more than {SILENT.days}")
    else:
        yield Reason("contact.quiet", Verdict.WATCH, f"the last contact was {days} days ago, more than {QUIET.days}")


def _service(signs: Signs, _now: datetime) -> Iterator[Reason]:
    if signs.overdue_requests:
        yield Reason("requests.overdue", Verdict.RISK, f"{signs.overdue_requests} open requests are past their due time")
    if signs.open_requests >= MANY_REQUESTS:
        yield Reason("requests.many_open", Verdict.WATCH, f"{signs.open_requests} requests are open")
    settled = signs.targets_met + signs.targets_breached
    if settled >= ENOUGH_TARGETS and signs.targets_breached > MISSED_SHARE * settled:
        yield Reason("targets.missed", Verdict.WATCH, f"{signs.targets_breached} of {settled} service targets were missed")


def _satisfaction(signs: Signs, _now: datetime) -> Iterator[Reason]:
    found = (
        ("csat", "CSAT", signs.csat_percent, CSAT_POOR, CSAT_MIDDLING, "{:.1f} %"),
        ("nps", "NPS", signs.nps, NPS_POOR, NPS_MIDDLING, "{:.0f}"),
        ("ces", "the mean effort score", signs.ces_mean, CES_POOR, CES_MIDDLING, "{:.1f}"),
    )
    for code, name, figure, poor, middling, form in found:
        if figure is None or figure >= middling:
            continue
        verdict, limit = (Verdict.RISK, poor) if figure < poor else (Verdict.WATCH, middling)
        yield Reason(f"satisfaction.{code}", verdict, f"{name} is {form.format(figure)}, below {form.format(limit)}")
