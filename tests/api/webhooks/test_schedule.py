"""What fails is sent again later and later, never all at once, and not before the receiver says."""

from datetime import UTC, datetime

import pytest

from api.webhooks.schedule import LONGEST_DELAY, LONGEST_WISH, Schedule, wish_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def test_each_delay_is_four_times_the_one_before_up_to_half_a_day() -> None:
    schedule = Schedule(10, 5.0)
    delays = [schedule.delay(attempts, lambda: 0.0) for attempts in range(1, 10)]
    assert delays == [5, 20, 80, 320, 1280, 5120, 20480, LONGEST_DELAY, LONGEST_DELAY]
    assert 30 < sum(delays) / 3600 < 33


def test_chance_adds_up_to_a_fifth() -> None:
    assert [Schedule().delay(2, lambda share=share: share) for share in (0.0, 0.5, 1.0)] == [20.0, 22.0, 24.0]


def test_a_receiver_s_wish_is_heeded_where_it_is_later_up_to_a_day() -> None:
    schedule = Schedule()
    assert schedule.delay(1, lambda: 0.0, 120.0) == 120.0
    assert schedule.delay(3, lambda: 0.0, 1.0) == 80.0
    assert schedule.delay(1, lambda: 0.0, 1e9) == LONGEST_WISH


def test_after_so_many_attempts_it_is_over() -> None:
    assert [Schedule(3).over(attempts) for attempts in (1, 2, 3, 4)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("soon", None),
        ("-5", None),
        ("9" * 50, None),
        ("Sun, 22 Nov 2026 12:01:40 GMT", 100.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 99 Nov", None),
    ],
)
def test_a_retry_after_header_is_read(header: str | None, seconds: float | None) -> None:
    assert wish_of(header, NOW) == seconds
