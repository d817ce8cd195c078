"""Runnable demonstrations; each has its expected output beside it, which a test checks."""
