"""Opportunities: deals on their way through a pipeline."""
