"""The log and how events travel: the event store, its feed, and Kafka."""
