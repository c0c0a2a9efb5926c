"""Faults in what is to be shown."""

from workflows.definition.errors import WorkflowError


class ViewError(WorkflowError):
    """A chart or picture cannot be made from what was given; the message names the file, series or row."""
