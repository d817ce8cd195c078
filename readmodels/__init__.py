"""The tables and the questions put to them: lookups through SQLAlchemy, facts through DuckDB."""
