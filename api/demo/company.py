"""The company that is simulated: it makes measuring instruments, sells them in three teams and helps customers from a service desk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from api.demo.chance import Chance
from api.demo.names import NAMINGS
from api.demo.places import AMERICAS, ASIA, EUROPE
from api.demo.working_time import Hours

DESK, SECOND_LEVEL = "Service desk", "Second level"
OFFICES: Mapping[str, Hours] = {
    EUROPE: Hours(ZoneInfo("Europe/Berlin")),
    AMERICAS: Hours(ZoneInfo("America/New_York")),
    ASIA: Hours(ZoneInfo("Asia/Shanghai")),
}
SELLERS: Mapping[str, Mapping[str, int]] = {EUROPE: {"de": 2, "fr": 1, "en": 2, "es": 1}, AMERICAS: {"en": 2}, ASIA: {"zh": 2}}
"""How many sell in each team, and which language their names come from, in a company of the usual size."""
AGENTS: Mapping[str, Mapping[str, int]] = {DESK: {"de": 2, "en": 2, "fr": 1, "zh": 1}, SECOND_LEVEL: {"de": 1, "it": 1}}


@dataclass(slots=True, eq=False)
class Colleague:
    """Somebody who works for the company. `skill` is around 1; deals are won and customers content with the more of it."""

    id: str
    team: str
    hours: Hours
    skill: float
    pace: float
    """How long things take, against the average."""
    language: str
    left: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """Something to sell: its price in EUR, how it is counted, and how often it is part of a deal."""

    name: str
    price: int
    share: float
    most: int = 1
    yearly: bool = False


PRODUCTS: tuple[Product, ...] = (
    Product("Spectrometer S2", 14_800, 0.30, 3),
    Product("Spectrometer S4", 38_500, 0.14, 2),
    Product("Gas analyser G3", 9_200, 0.22, 4),
    Product("Flow sensor F1", 640, 0.26, 40),
    Product("Probe set", 480, 0.30, 12),
    Product("Installation", 1_900, 0.28),
    Product("Training day", 1_150, 0.24, 4),
    Product("Calibration", 720, 0.30, 8),
    Product("Service plan Basic", 1_400, 0.28, yearly=True),
    Product("Service plan Full", 4_600, 0.16, yearly=True),
    Product("Lab cloud", 2_900, 0.24, 3, yearly=True),
)
BY_NAME: Mapping[str, Product] = {product.name: product for product in PRODUCTS}
INSTRUMENTS = tuple(product.name for product in PRODUCTS if product.price > 5_000)
YEARLY = tuple(product.name for product in PRODUCTS if product.yearly)
COMPETITORS = ("Ostermeer Analytics", "Kaltbrunn Systems", "Trivexa", "Quandel & Roth", "海衡仪器")
LEAD_SOURCES: Mapping[str, float] = {"web": 34, "trade fair": 18, "referral": 16, "outbound call": 14, "partner": 10, "webinar": 8}
SOURCE_FIT: Mapping[str, float] = {
    "web": 0.94,
    "trade fair": 0.96,
    "referral": 1.35,
    "outbound call": 0.86,
    "partner": 1.16,
    "webinar": 0.92,
}
"""How well inquiries from each source turn out, against the average."""
TIERS: Mapping[str, float] = {"A": 0.14, "B": 0.34, "C": 0.52}
"""How important companies are to us."""
TAGS = ("newsletter", "reference customer", "audited", "framework agreement", "tender only", "export control")
CAMPAIGNS = ("Spring calibration weeks", "Trade fair follow-up", "Lab cloud launch")


@dataclass(slots=True)
class Company:
    """Who works for it. `size` 1 is a company of eighteen; a larger one has more people in each team."""

    sellers: Mapping[str, list[Colleague]]
    agents: Mapping[str, list[Colleague]]

    @classmethod
    def of_size(cls, size: float, chance: Chance) -> "Company":
        """Hire everybody."""
        seen: set[str] = set()
        sellers = {team: _hired(team, OFFICES[team], languages, size, chance, seen) for team, languages in SELLERS.items()}
        agents = {team: _hired(team, OFFICES[EUROPE], languages, size, chance, seen) for team, languages in AGENTS.items()}
        return cls(sellers, agents)

    def seller(self, team: str, chance: Chance, *, but: Colleague | None = None) -> Colleague:
        """Somebody who sells in a team, and is not `but`."""
        here = [colleague for colleague in self.sellers[team] if not colleague.left and colleague is not but]
        return chance.one_of(here)

    def agent(self, team: str, language: str, chance: Chance, *, but: Colleague | None = None) -> Colleague:
        """Somebody in a service team, more likely one who speaks the customer's language."""
        here = [colleague for colleague in self.agents[team] if not colleague.left and colleague is not but]
        fluent = [colleague for colleague in here if language.startswith(colleague.language)]
        return chance.one_of(fluent if fluent and chance.happens(0.6) else here)


def _hired(team: str, hours: Hours, languages: Mapping[str, int], size: float, chance: Chance, seen: set[str]) -> list[Colleague]:
    numbers = {language: max(number, round(number * size)) for language, number in languages.items()}
    people = [_colleague(team, hours, language, chance, seen) for language, number in numbers.items() for _ in range(number)]
    return _of_different_quality(people)


def _colleague(team: str, hours: Hours, language: str, chance: Chance, seen: set[str]) -> Colleague:
    name = NAMINGS[language].person(chance).spelled
    number = 2
    unique = name
    while unique in seen:
        unique, number = f"{name}.{number}", number + 1
    seen.add(unique)
    return Colleague(unique, team, hours, skill=1.0, pace=chance.between(0.75, 1.35), language=language)


def _of_different_quality(people: Sequence[Colleague]) -> list[Colleague]:
    """Spread skill evenly over a team, so that each has its good and its weaker ones."""
    for place, colleague in enumerate(people):
        colleague.skill = 1.0 if len(people) == 1 else 0.78 + 0.44 * ((place * 5 + 2) % len(people)) / (len(people) - 1)
    return list(people)
