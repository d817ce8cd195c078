"""The feed: all events in the order of their positions, from the first, as JSON pages and as a stream that goes on."""
