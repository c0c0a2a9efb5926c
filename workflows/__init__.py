"""Control plane: builds, checks, runs and shows SageMaker pipelines; never inside a container."""
