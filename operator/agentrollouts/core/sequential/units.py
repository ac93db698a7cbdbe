"""What a cohort achieved, in randomisation units: sessions, or users where a user has many of them.

A unit's outcome is a fraction in [0, 1]: the part of its tasks that went well, or its mean capped cost. Tasks of one session
share their fate, so a test that counts tasks takes one bad session for ten; a unit counts once, whatever happened inside.
"""

from __future__ import annotations

from typing import NamedTuple


class Units(NamedTuple):
    """Finished units: how many, the sum of their fractions, and the sum of the squares of their fractions.

    Where only the sum is known, ``squares`` is an upper bound; it costs evidence and never validity.
    """

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def counted(cls, n: float, total: float) -> Units:
        """Units whose squares weren't exported: the largest sum of squares that fractions with this sum can have."""
        whole = total // 1.0
        rest = total - whole
        return cls(n, total, whole + rest * rest)

    def rest(self) -> Units:
        """The same units by what is missing to 1: failures for successes."""
        return Units(self.n, self.n - self.total, self.n - 2.0 * self.total + self.squares)

    def plus(self, other: Units) -> Units:
        """Both together."""
        return Units(self.n + other.n, self.total + other.total, self.squares + other.squares)
