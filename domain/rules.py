"""How strictly a decision is held to its rules: a command asks and may be refused, an import reports what already happened."""

from domain.errors import RuleViolation


class Rules:
    """Collects the rules that a decision breaks.

    When asking (the default), the first broken rule raises RuleViolation. When reporting, it is noted in `broken`
    and the decision goes on, so that the fact is recorded and marked irregular. Use `hold` for what a report may
    break; raise RuleViolation directly for what nobody may break (wrong shape, unknown references, uniqueness).
    """

    __slots__ = ("broken", "reporting")

    def __init__(self, *, reporting: bool = False) -> None:
        self.reporting = reporting
        self.broken: list[str] = []

    def hold(self, condition: object, code: str, message: str) -> None:
        """Require `condition`; `code` is the rule's stable slug, `message` says what to do about it."""
        if condition:
            return
        if not self.reporting:
            raise RuleViolation(code, message)
        if code not in self.broken:
            self.broken.append(code)
