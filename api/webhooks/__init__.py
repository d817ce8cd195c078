"""Webhooks: events sent to those who subscribed to them, signed, again and again until they are taken or given up."""
