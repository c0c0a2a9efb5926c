"""Two definitions of one pipeline."""

from tests.aws.toy_models import ROLE
from tests.toys import definition, processing
from workflows.aws.pipelines import Wanted

FIRST, SECOND = definition(processing("Prepare", "true")), definition(processing("Prepare", "date"))


def wanted(text=FIRST, **more):
    return Wanted(**{"name": "toys", "definition": text, "role": ROLE, **more})
