"""The HTTP server that SageMaker expects in an inference container."""
