"""Fields of a tuning step that mean less on this machine than on SageMaker."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.local.tuning.strategies import GRID

# Field, at any depth of a tuning step's arguments -> what it means here.
IGNORED: Mapping[str, str] = {
    "TrainingJobEarlyStoppingType": "no training job is stopped early: each runs to its own end",
    "ConvergenceDetected": "convergence is not detected: the other criteria end the search",
    "RetryStrategy": "a training job of a tuning job is not tried again",
    "AllocationStrategy": "of several instance configurations the first is taken",
    "CheckpointConfig": "each training job has checkpoints of its own, below S3Uri by its name",
    "Strategy": "Random and Bayesian propose other values than SageMaker's, but always the same ones",
}
# Values of these fields with which this machine does not differ.
NO_DIFFERENCE: Mapping[str, tuple[JSON, ...]] = {
    "TrainingJobEarlyStoppingType": ("Off",),
    "ConvergenceDetected": ({"CompleteOnConvergence": "Disabled"},),
    "Strategy": (GRID,),
}
