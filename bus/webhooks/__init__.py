"""What of webhooks is truth and cannot be folded from the log: who wants which events where, how far each has come, what failed."""
