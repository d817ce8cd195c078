"""The parts of the simulation: lives are woken in order, offices keep their hours, chance repeats itself."""

from datetime import UTC, datetime, timedelta
from statistics import mean, median
from zoneinfo import ZoneInfo

from api.demo.agenda import Agenda, Life
from api.demo.chance import Chance
from api.demo.working_time import Hours

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = Hours(ZoneInfo("Europe/Berlin"))


def test_lives_are_woken_in_order_of_time_and_see_that_time() -> None:
    agenda, seen = Agenda(NOON), list[tuple[str, datetime]]()

    def life(name: str, hours: int) -> Life:
        for _ in range(2):
            seen.append((name, agenda.now))
            yield agenda.now + timedelta(hours=hours)

    agenda.begin(life("slow", 3), NOON)
    agenda.begin(life("quick", 1), NOON + timedelta(hours=1))
    agenda.run(NOON + timedelta(days=1))
    assert seen == [("slow", NOON), *(("quick", NOON + timedelta(hours=hours)) for hours in (1, 2)), ("slow", NOON + timedelta(hours=3))]
    assert agenda.now == NOON + timedelta(days=1)


def test_nothing_happens_at_the_end_or_after_it() -> None:
    agenda, seen = Agenda(NOON), list[datetime]()

    def life() -> Life:
        while True:
            seen.append(agenda.now)
            yield agenda.now + timedelta(hours=1)

    agenda.begin(life())
    agenda.run(NOON + timedelta(hours=2))
    assert seen == [NOON, NOON + timedelta(hours=1)]


def test_a_moment_in_the_past_is_now() -> None:
    agenda, seen = Agenda(NOON), list[datetime]()

    def life() -> Life:
        seen.append(agenda.now)
        yield agenda.now - timedelta(days=1)
        seen.append(agenda.now)

    agenda.begin(life(), NOON - timedelta(hours=1))
    agenda.run(NOON + timedelta(seconds=1))
    assert seen == [NOON, NOON]


def test_working_hours_do_not_count_nights_weekends_and_the_days_between_the_years() -> None:
    friday = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)  # 17:30 in Berlin, half an hour before the office closes
    later = BERLIN.hours_later(friday, 1.0, Chance(1)).astimezone(BERLIN.zone)
    assert (later.date().isoformat(), 8 <= later.hour < 15) == ("2026-03-09", True)
    holiday = datetime(2025, 12, 23, 20, tzinfo=UTC)
    assert BERLIN.at_work(holiday, Chance(1)).astimezone(BERLIN.zone).date().isoformat() == "2026-01-02"


def test_days_later_is_always_in_working_hours_and_never_before_now() -> None:
    chance = Chance(5)
    for start in range(400):
        moment = NOON + timedelta(hours=7 * start)
        then = BERLIN.days_later(moment, chance.between(0, 9), chance)
        local = then.astimezone(BERLIN.zone)
        assert then >= moment
        assert BERLIN.works_on(local.date())
        assert BERLIN.opens <= local.hour < BERLIN.closes


def test_chance_repeats_itself_for_a_seed() -> None:
    one, two = Chance(3), Chance(3)
    draws = [(each.between(0, 1), each.count(80), each.around(5, 0.5), each.id(NOON), each.some_of("abcde", 3)) for each in (one, two)]
    assert draws[0] == draws[1]


def test_counts_and_delays_have_the_mean_that_was_asked_for() -> None:
    chance = Chance(8)
    assert 77 < mean(chance.count(80) for _ in range(500)) < 83
    assert 0.6 < mean(chance.count(0.7) for _ in range(3_000)) < 0.8
    assert 4.5 < median(chance.around(5, 0.6) for _ in range(2_000)) < 5.5
    assert 9 < mean(chance.after(10) for _ in range(5_000)) < 11


def test_ids_are_of_version_7_and_sort_by_time() -> None:
    chance = Chance(4)
    ids = [chance.id(NOON + timedelta(minutes=minute)) for minute in range(50)]
    assert ids == sorted(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
