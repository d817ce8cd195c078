"""Which records have to do with a customer: those that are the customer's, and those that once were."""

from collections.abc import Collection

from sqlalchemy import select

from readmodels.asking import Facts, Lookups
from readmodels.lists import LISTS

OF_CUSTOMERS = tuple(what for what in LISTS if "customer_id" in what.filters)
"""The kinds of records that belong to a customer."""


def records_of(lookups: Lookups, customers: Collection[str]) -> set[str]:
    """The ids of the records that belong to these customers."""
    found: set[str] = set()
    for what in OF_CUSTOMERS:
        records = lookups.table(what.fold).c
        rows = lookups.rows(select(records[what.key]).where(records.customer_id.in_(sorted(customers))))
        found |= {row[what.key] for row in rows}
    return found


def gone_from(facts: Facts, customers: Collection[str]) -> set[str]:
    """The ids of the records that went over from these customers to others."""
    sql = "SELECT DISTINCT stream_id FROM timeline WHERE previous_customer_id IN (SELECT unnest($customers::UUID[]))"
    return {str(row["stream_id"]) for row in facts.rows(sql, {"customers": sorted(customers)})}
