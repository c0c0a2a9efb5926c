"""Reads the pictures and labels that a training job will read, as far as a check needs them."""
