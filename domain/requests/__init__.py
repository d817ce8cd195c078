"""Service requests: what customers asked for or complained about, and how it was answered."""
