"""Going back: folding history again."""
