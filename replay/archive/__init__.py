"""The archive: settled events as immutable, typed Parquet files, one for each event type and range of positions."""
