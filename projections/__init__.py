"""The folds: which events make which columns, and the engine that applies them."""
