"""What may be asked: command messages, their handlers and the dispatcher that decides and appends them."""
