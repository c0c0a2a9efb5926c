"""SageMaker's built-in algorithms for pictures, as data."""
