"""The kinds of record that this machine keeps, each as the Describe call of its kind would return it."""

PIPELINE = "pipeline"
PIPELINE_VERSION = "pipeline-version"
LAST_EXECUTION = "last-execution"  # no resource: which execution of a pipeline version was the last
EXECUTION = "pipeline-execution"
EXECUTION_STEP = "pipeline-execution-step"
STEP_RESULT = "step-result"  # no resource of SageMaker's: what later steps and executions use of a step
PROCESSING_JOB = "processing-job"
TRAINING_JOB = "training-job"
TRANSFORM_JOB = "transform-job"
MODEL = "model"
MODEL_PACKAGE_GROUP = "model-package-group"
MODEL_PACKAGE = "model-package"
ENDPOINT_CONFIG = "endpoint-config"
ENDPOINT = "endpoint"
HYPER_PARAMETER_TUNING_JOB = "hyper-parameter-tuning-job"
CALLBACK = "callback"
TAGS = "tags"  # of a resource, by its ARN
CLIENT_REQUEST = "client-request"  # no resource: the answer to a request, by its ClientRequestToken
