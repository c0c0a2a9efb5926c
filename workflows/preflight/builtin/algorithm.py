"""What a job of a built-in algorithm may and must have."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from workflows.preflight.builtin.hyperparameter import Hyperparameter

RECORDIO = "application/x-recordio"
IMAGES = ("application/x-image", "image/jpeg", "image/png")
MODEL_CHANNEL = "model"
MODEL_CONTENT = "application/x-sagemaker-model"


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """One built-in algorithm."""

    repository: str  # of its image
    title: str
    table: tuple[Hyperparameter, ...]
    label_channels: tuple[str, ...]  # those beside train and validation where the data are single pictures
    manifest_attributes: tuple[str, str | None]  # of an augmented manifest, in this order; None: any name
    metrics: tuple[str, ...]  # that it publishes
    # Hyperparameters that a run shares with the one whose model it goes on from.
    inherited: tuple[str, ...]

    @cached_property
    def hyperparameters(self) -> Mapping[str, Hyperparameter]:
        """The table by name."""
        return {entry.name: entry for entry in self.table}

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels that a job may have."""
        return ("train", "validation", *self.label_channels, MODEL_CHANNEL)


# Source: pages of both algorithms, "EC2 instance recommendation": they train on GPUs only.
TRAINS_ON = ("p2", "p3", "g4dn", "g5")
