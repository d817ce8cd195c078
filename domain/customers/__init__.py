"""Customers: the companies and people we do business with."""
