"""Bringing what people type into one spelling: e-mail addresses, telephone numbers, web addresses, countries and languages."""

from typing import Annotated
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat
from pydantic import AfterValidator, StringConstraints

from commands.command import NO_CONTROL
from domain.errors import RuleViolation

LONGEST_EMAIL = 254


def email(text: str) -> str:
    """The address with its domain in lower case and Unicode in its composed form. Raises ValueError for what cannot be one."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


def phone(text: str, *, region: str | None) -> str:
    """The number in E.164 form, an extension after `;ext=`; `region` is where a number without country code is from.

    Raises RuleViolation `phone.invalid` for a number that no telephone can have.
    """
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        raise RuleViolation("phone.invalid", f"{error}; give the country code (+…) or say in `phone_region` where it is from") from error
    if not phonenumbers.is_valid_number(number):
        raise RuleViolation("phone.invalid", "no telephone can have this number; look for missing digits or give the right country code")
    extension = number.extension
    number.extension = None
    spelled = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return f"{spelled};ext={extension}" if extension else spelled


def phone_or_none(text: str | None, *, region: str | None) -> str | None:
    """The same for a number that may be missing."""
    return None if text is None else phone(text, region=region)


def website(text: str) -> str:
    """The web address with its scheme (https unless given) and host in lower case. Raises ValueError."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or "." not in host.strip(".") or "@" in parts.netloc or any(map(str.isspace, text)):
        raise ValueError("a website is an address such as https://example.com/about")
    return parts._replace(netloc=parts.netloc.lower()).geturl()


Email = Annotated[str, StringConstraints(min_length=3, max_length=LONGEST_EMAIL), AfterValidator(email)]
Phone = Annotated[str, StringConstraints(min_length=3, max_length=50, pattern=NO_CONTROL)]
Website = Annotated[str, StringConstraints(min_length=3, max_length=200, pattern=NO_CONTROL), AfterValidator(website)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
Language = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
"""BCP 47."""
TimeZone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z]+[A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$")]
"""IANA name; only its spelling is checked, because which names a machine knows differs."""
