"""Where a number comes from: the events behind any cell of any read model, and how they add up."""
