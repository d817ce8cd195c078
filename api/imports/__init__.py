"""Imports: histories of other systems, read from CSV files and XES logs, become commands by a mapping."""
