"""A page for a browser over the same machine: pipelines, executions, models, endpoints."""
