"""What the instance types of training jobs have.

Source: AWS, "Amazon EC2 instance types", accelerated computing; API reference, ResourceConfig.
"""

# Family -> size -> GPUs.
_GPUS = {
    "p2": {"xlarge": 1, "8xlarge": 8, "16xlarge": 16},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "g4dn": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1},
    "g5": {
        "xlarge": 1,
        "2xlarge": 1,
        "4xlarge": 1,
        "8xlarge": 1,
        "12xlarge": 4,
        "16xlarge": 1,
        "24xlarge": 4,
        "48xlarge": 8,
    },
}
# Their volume is a local one, which no key of the user's can encrypt.
_LOCAL_STORAGE = ("g4dn", "g5", "p3dn", "p4d", "p4de", "p5", "m5d", "c5d", "r5d")


def family(instance_type: str) -> str:
    """ml.g5.2xlarge -> g5."""
    parts = instance_type.split(".")
    return parts[1] if len(parts) == 3 else ""


def gpus(instance_type: str) -> int | None:
    """How many GPUs an instance has, of those families that the built-in algorithms train on."""
    return _GPUS.get(family(instance_type), {}).get(instance_type.rpartition(".")[2])


def has_local_storage(instance_type: str) -> bool:
    """Whether its volume is a local disk, not one of Amazon EBS."""
    return family(instance_type) in _LOCAL_STORAGE
