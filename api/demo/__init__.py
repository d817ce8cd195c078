"""A seeded simulation of a made-up company, for demonstrations, tests and benchmarks."""
