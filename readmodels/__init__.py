"""The tables and the questions put to them: SQLAlchemy for lookups, DuckDB for facts."""
