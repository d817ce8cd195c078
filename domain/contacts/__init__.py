"""Contacts: the people whom we know at a customer."""
