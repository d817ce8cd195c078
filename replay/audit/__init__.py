"""Showing that history is unaltered: a Merkle tree over the log, signed checkpoints, proofs, and what finds any tampering."""
