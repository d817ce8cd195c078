"""Seeded chance: the distributions that a company's days are drawn from."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")
LARGEST_POISSON_STEP = 30.0


class Chance:
    """Draws from a seed: the same seed and the same questions give the same answers on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def happens(self, probability: float) -> bool:
        """True with that probability."""
        return self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Evenly between `low` and `high`."""
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[int(self._random.random() * len(choices))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """One of the keys, as likely as its weight says."""
        left = self._random.random() * sum(weights.values())
        for choice, weight in weights.items():
            left -= weight
            if left < 0:
                return choice
        return next(reversed(list(weights)))

    def some_of(self, choices: Sequence[T], number: int) -> list[T]:
        """`number` different choices (all of them when there are fewer), in random order."""
        left = list(choices)
        return [left.pop(int(self._random.random() * len(left))) for _ in range(min(number, len(left)))]

    def normal(self, mean: float, deviation: float) -> float:
        """Normally distributed."""
        return self._random.gauss(mean, deviation)

    def around(self, median: float, spread: float) -> float:
        """Log-normally distributed: never negative, half below `median`, with a long tail that grows with `spread`."""
        return median * math.exp(self._random.gauss(0.0, spread))

    def after(self, mean: float) -> float:
        """Exponentially distributed: how long until something that happens at a steady rate."""
        return -mean * math.log(1.0 - self._random.random())

    def count(self, mean: float) -> int:
        """Poisson distributed: how often something happens that does so `mean` times on average."""
        number = 0
        while mean > LARGEST_POISSON_STEP:  # the sum of Poisson draws is one; small steps keep exp(-mean) away from zero
            number += self._small_count(LARGEST_POISSON_STEP)
            mean -= LARGEST_POISSON_STEP
        return number + self._small_count(mean)

    def _small_count(self, mean: float) -> int:
        floor, product, number = math.exp(-mean), self._random.random(), 0
        while product > floor:
            product *= self._random.random()
            number += 1
        return number

    def id(self, at: datetime) -> UUID:
        """A UUIDv7 of that moment (RFC 9562, §5.7), its random bits drawn from the seed."""
        milliseconds = int(at.timestamp() * 1000)
        bits = self._random.getrandbits(74)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0x2 << 62 | bits & (1 << 62) - 1)

    def soon(self, hours: float) -> timedelta:
        """A delay that is most often shorter than `hours` and sometimes a good deal longer; never under a minute."""
        return timedelta(minutes=1, seconds=int(self.after(hours) * 3600))
