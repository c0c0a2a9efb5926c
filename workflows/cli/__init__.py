"""The workflows command."""
