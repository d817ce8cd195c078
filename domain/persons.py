"""Persons: contacts, and customers that are persons; what erasing and restricting mean for all of them.

An erased person's record stays, with everything that was counted, but nobody can tell whom it was about: nothing personal can be
recorded about it again, not even as a report. A restricted person's record is kept and read, and put right where it is wrong,
but used for nothing new.
"""

from typing import Literal

from domain.errors import RuleViolation
from domain.rules import Rules

ErasureBasis = Literal["no_longer_needed", "consent_withdrawn", "objection", "unlawful_processing", "legal_obligation", "child"]
"""Why a person must be forgotten, in the order of Art. 17(1)(a) to (f) GDPR."""
RestrictionBasis = Literal["accuracy_contested", "unlawful_processing", "legal_claims", "objection_pending"]
"""Why a person's record must not be used, in the order of Art. 18(1)(a) to (d) GDPR."""


def not_erased(*, erased: bool) -> None:
    """Refuse, of reports too, whatever would tell something of a person who was erased. Raises RuleViolation `person.erased`."""
    if erased:
        raise RuleViolation("person.erased", "the person was erased; nothing can be recorded about them any more")


def not_restricted(rules: Rules, *, restricted: bool) -> None:
    """Hold that the person's record may be used."""
    rules.hold(not restricted, "person.restricted", "the use of this person's record is restricted; lift the restriction first")
