"""Stand-ins for SageMaker's built-in algorithm images, the same contract seen from outside."""
