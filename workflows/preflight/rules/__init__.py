"""The rules, one topic per module."""
