"""SageMaker's own operations, one module for each kind of resource."""
