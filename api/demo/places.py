"""The countries that the company sells to: cities, currencies, languages, and numbers that nobody has.

Telephone numbers come only from ranges that are set aside for films and plays; where there is no such range, customers have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from api.demo.chance import Chance
from api.demo.names import NAMINGS, Name, Naming, plain
from api.demo.working_time import Hours


@dataclass(frozen=True, slots=True)
class City:
    """A city, its region, and what its postal codes begin with."""

    name: Name
    region: str
    postal: str


@dataclass(frozen=True, slots=True)
class Country:
    """A country as a market. `phone` and `postal_digits` are patterns in which `#` stands for any digit."""

    code: str
    language: str
    zone: str
    currency: str
    team: str
    share: float
    """Of our customers, in per cent."""
    phone: str | None
    postal: str
    forms: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[City, ...]

    @property
    def naming(self) -> Naming:
        """How people and companies are called there."""
        return NAMINGS[self.language.split("-", maxsplit=1)[0]]

    @property
    def hours(self) -> Hours:
        """When offices are open there."""
        return HOURS[self.zone]

    def phone_number(self, chance: Chance) -> str | None:
        """A number in E.164 that nobody has."""
        return _digits(self.phone, chance) if self.phone else None

    def address(self, chance: Chance) -> dict[str, str]:
        """Somewhere in the country."""
        city = chance.one_of(self.cities)
        street = chance.one_of(self.streets).replace("#", str(chance.whole(1, 180)))
        return {
            "street": street,
            "postal_code": _digits(self.postal.replace("*", city.postal), chance),
            "city": city.name.written,
            "region": city.region,
            "country": self.code,
        }

    def company_name(self, chance: Chance, industry: str) -> Name:
        """What a company of an industry could be called there."""
        written, _, spelled = INDUSTRIES[industry][self.language.split("-", maxsplit=1)[0]].partition("/")
        trade = Name(written, spelled or plain(written))
        return self.naming.business(chance, city=chance.one_of(self.cities).name, trade=trade, form=chance.one_of(self.forms))


def _digits(pattern: str, chance: Chance) -> str:
    return "".join(str(chance.whole(0, 9)) if sign == "#" else sign for sign in pattern)


def _cities(text: str) -> tuple[City, ...]:
    """Cities from lines such as `苏州/suzhou, Jiangsu, 215`."""
    cities: list[City] = []
    for line in text.strip().splitlines():
        name, region, postal = (part.strip() for part in line.split(","))
        written, _, spelled = name.partition("/")
        cities.append(City(Name(written, spelled or plain(written)), region, postal))
    return tuple(cities)


EUROPE, AMERICAS, ASIA = "Sales Europe", "Sales Americas", "Sales Asia"
COUNTRIES: tuple[Country, ...] = (
    Country("DE", "de", "Europe/Berlin", "EUR", EUROPE, 24, "+4930231259##", "*##", ("GmbH", "GmbH", "AG", "GmbH & Co. KG", "eG"),
            ("Hafenstraße #", "Am Mühlbach #", "Lindenallee #", "Industrieweg #", "Kirchgasse #"),
            _cities("Berlin, Berlin, 104\nHamburg, Hamburg, 204\nMünchen, Bavaria, 803\nLeipzig, Saxony, 041\nKöln, North Rhine-Westphalia, 506\n"
                    "Freiburg, Baden-Württemberg, 791")),
    Country("AT", "de", "Europe/Vienna", "EUR", EUROPE, 4, None, "*#", ("GmbH", "KG", "AG"), ("Ringstraße #", "Donauweg #", "Feldgasse #"),
            _cities("Wien, Vienna, 101\nGraz, Styria, 801\nLinz, Upper Austria, 402")),
    Country("FR", "fr", "Europe/Paris", "EUR", EUROPE, 12, "+331990080##", "*##", ("SAS", "SARL", "SA"),
            ("# rue des Lilas", "# avenue du Port", "# quai de la Fonderie", "# chemin du Moulin"),
            _cities("Paris, Île-de-France, 750\nLyon, Auvergne-Rhône-Alpes, 690\nNantes, Pays de la Loire, 440\nToulouse, Occitanie, 310")),
    Country("GB", "en", "Europe/London", "GBP", EUROPE, 13, "+4420794600##", "*# #AB", ("Ltd", "Ltd", "plc", "LLP"),
            ("# Mill Lane", "# Station Road", "# Harbour View", "# Foundry Street"),
            _cities("London, England, EC\nManchester, England, M\nBristol, England, BS\nGlasgow, Scotland, G\nCardiff, Wales, CF")),
    Country("ES", "es", "Europe/Madrid", "EUR", EUROPE, 6, None, "*##", ("S.L.", "S.A."), ("Calle del Molino #", "Avenida del Mar #", "Paseo Nuevo #"),
            _cities("Madrid, Madrid, 280\nValencia, Valencia, 460\nBilbao, Basque Country, 480\nSevilla, Andalusia, 410")),
    Country("IT", "it", "Europe/Rome", "EUR", EUROPE, 6, None, "*##", ("S.r.l.", "S.p.A."), ("Via del Porto #", "Corso Nuovo #", "Via dei Mulini #"),
            _cities("Milano, Lombardy, 201\nBologna, Emilia-Romagna, 401\nTorino, Piedmont, 101")),
    Country("SE", "sv", "Europe/Stockholm", "SEK", EUROPE, 4, "+468465004##", "*##", ("AB", "AB", "HB"), ("Storgatan #", "Kvarnvägen #", "Hamngatan #"),
            _cities("Stockholm, Stockholm, 111\nGöteborg, Västra Götaland, 411\nUppsala, Uppsala, 753")),
    Country("US", "en", "America/New_York", "USD", AMERICAS, 15, "+161755501##", "*##", ("Inc.", "LLC", "Corp."),
            ("# Commerce Drive", "# Elm Street", "# Riverside Avenue", "# Old Mill Road"),
            _cities("Boston, Massachusetts, 021\nChicago, Illinois, 606\nAtlanta, Georgia, 303\nPittsburgh, Pennsylvania, 152\nColumbus, Ohio, 432")),
    Country("CN", "zh-Hans", "Asia/Shanghai", "CNY", ASIA, 12, None, "*###", ("有限公司", "股份有限公司", "科技有限公司"),
            ("滨江路#号", "科技大道#号", "人民东路#号", "兴业街#号"),
            _cities("上海/shanghai, Shanghai, 200\n苏州/suzhou, Jiangsu, 215\n深圳/shenzhen, Guangdong, 518\n成都/chengdu, Sichuan, 610\n武汉/wuhan, Hubei, 430")),
    Country("JP", "ja", "Asia/Tokyo", "JPY", ASIA, 4, None, "*-####", ("株式会社", "合同会社"), ("港町#番地", "中央通り#番地"),
            _cities("東京/tokyo, Tokyo, 104\n大阪/osaka, Osaka, 530\n名古屋/nagoya, Aichi, 460")),
)  # fmt: skip
BY_CODE: Mapping[str, Country] = {country.code: country for country in COUNTRIES}
SHARES: Mapping[str, float] = {country.code: country.share for country in COUNTRIES}
HOURS: Mapping[str, Hours] = {country.zone: Hours(ZoneInfo(country.zone)) for country in COUNTRIES}

IN_EURO: Mapping[str, float] = {
    "EUR": 1.0, "USD": 0.91, "GBP": 1.17, "SEK": 0.088, "CNY": 0.127, "JPY": 0.0061, "CHF": 1.05, "CAD": 0.67, "AUD": 0.60, "INR": 0.0108,
    "BRL": 0.17, "MXN": 0.050, "PLN": 0.233, "DKK": 0.134, "NOK": 0.086, "CZK": 0.040, "HKD": 0.117, "SGD": 0.68, "KRW": 0.00066,
}  # fmt: skip
"""Roughly what a unit of each currency is worth; the company's own rates wander around it."""

INDUSTRIES: Mapping[str, Mapping[str, str]] = {
    "Pharmaceuticals": {"de": "Pharma", "fr": "Pharma", "en": "Biologics", "es": "Farma", "it": "Farmaceutici", "sv": "Läkemedel",
                        "zh": "制药/pharma", "ja": "製薬/pharma"},
    "Food and beverage": {"de": "Lebensmittel", "fr": "Agroalimentaire", "en": "Foods", "es": "Alimentaria", "it": "Alimentari", "sv": "Livsmedel",
                          "zh": "食品/foods", "ja": "食品/foods"},
    "Automotive": {"de": "Fahrzeugtechnik", "fr": "Automobile", "en": "Motor Components", "es": "Automoción", "it": "Componenti", "sv": "Fordon",
                   "zh": "汽车部件/auto", "ja": "自動車部品/auto"},
    "Water and energy": {"de": "Stadtwerke", "fr": "Énergies", "en": "Water & Power", "es": "Aguas", "it": "Energia", "sv": "Energi",
                         "zh": "水务/water", "ja": "水道/water"},
    "Research and education": {"de": "Forschung", "fr": "Recherche", "en": "Research", "es": "Investigación", "it": "Ricerche", "sv": "Forskning",
                               "zh": "研究所/research", "ja": "研究所/research"},
    "Electronics": {"de": "Elektronik", "fr": "Électronique", "en": "Circuits", "es": "Electrónica", "it": "Elettronica", "sv": "Elektronik",
                    "zh": "电子/electronics", "ja": "電子/electronics"},
    "Chemicals": {"de": "Chemie", "fr": "Chimie", "en": "Chemical", "es": "Química", "it": "Chimica", "sv": "Kemi",
                  "zh": "化工/chemical", "ja": "化学/chemical"},
    "Hospitals": {"de": "Kliniken", "fr": "Cliniques", "en": "Health", "es": "Clínicas", "it": "Cliniche", "sv": "Vård",
                  "zh": "医疗/medical", "ja": "医療/medical"},
}  # fmt: skip
"""Industries, with the word for each that company names have in each language."""
