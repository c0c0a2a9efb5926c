"""One compiled definition with every option left alone, and one with every option given."""

from typing import Any

import pytest

from tests.pipelines.birds_definition import OUTPUT_KEY, VOLUME_KEY, compiled


@pytest.fixture(scope="session")
def plain() -> dict[str, Any]:
    return compiled()


@pytest.fixture(scope="session")
def full() -> dict[str, Any]:
    return compiled(
        sagemaker_project_arn="arn:aws:sagemaker:eu-west-1:123456789012:project/birds",
        volume_kms_key=VOLUME_KEY,
        output_kms_key=OUTPUT_KEY,
        subnets=["subnet-1", "subnet-2"],
        security_group_ids=["sg-1"],
        enable_network_isolation=True,
        use_spot=True,
        max_wait_s=400_000,
        max_training_s=300_000,
        training_volume_gb=70,
        processing_volume_gb=90,
        cache_expire_after="P7D",
        tags={"team": "birds", "sagemaker:project-name": "aviary"},
    )
