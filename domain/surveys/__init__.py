"""Surveys: what customers were asked about us (CSAT, NPS, CES) and what they answered."""
