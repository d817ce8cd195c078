"""Pipelines: the stages that opportunities move through, and how they change over the years."""
