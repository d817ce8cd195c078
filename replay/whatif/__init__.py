"""What if: all of history folded again under other rules into scratch read models, and compared with those of today."""
