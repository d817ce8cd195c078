"""Daybook's figures, each measured beside its baseline in the same run."""
