"""What each event changed: the attributes of its record before and after it."""
