"""Draws the sample data sets; run as a process, imported by nobody."""
