"""The door for commands that come over Kafka: read from one topic, answered on another, each applied once."""
