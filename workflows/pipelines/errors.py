"""Faults in what a caller asks of the pipelines."""

from workflows.definition.errors import WorkflowError


class UnknownPipeline(WorkflowError):
    """No pipeline has the name that was asked for."""


class UnknownProfile(WorkflowError):
    """A pipeline has no profile of the name that was asked for."""


class PipelineOptionError(WorkflowError):
    """A pipeline cannot be compiled with these options; the message names the option and the remedy."""
