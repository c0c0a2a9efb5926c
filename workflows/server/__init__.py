"""SageMaker's own HTTP routes over the local engine."""
