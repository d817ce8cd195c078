"""What can happen to customers, deals and requests: events, state and decisions, in pure Python without I/O."""
