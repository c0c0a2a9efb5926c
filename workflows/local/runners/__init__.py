"""One module per kind of step that does work."""
