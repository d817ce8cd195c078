"""Going back: rebuilding read models beside the serving ones, folding as of a moment, and explaining figures."""
