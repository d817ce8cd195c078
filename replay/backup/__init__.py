"""Backups: taken while serving, verified, and put back."""
