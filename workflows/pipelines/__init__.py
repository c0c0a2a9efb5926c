"""The pipelines, one module each with get_pipeline(); compiled with the SageMaker SDK."""
