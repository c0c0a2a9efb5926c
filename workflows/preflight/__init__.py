"""Finds the mistakes in a definition that can be known before its first instance starts, all at once."""
