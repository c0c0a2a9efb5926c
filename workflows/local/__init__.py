"""Runs a compiled definition on this machine: plan, resolve, execute, keep state."""
