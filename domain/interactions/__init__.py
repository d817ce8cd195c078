"""Interactions: calls, messages, meetings and notes with a customer."""
