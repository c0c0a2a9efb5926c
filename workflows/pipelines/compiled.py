"""Compiled definitions, kept: loading the SageMaker SDK takes seconds, and nobody should wait for it twice.

A definition is a function of its arguments, of this package's code, of the SDK and of the processing image's
content. All of them are in the name under which it is kept, so what is found is what would be compiled.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from workflows.definition.source import SourceLine
from workflows.pipelines import catalog
from workflows.pipelines.catalog import Compiled
from workflows.pipelines.processing_image import content_tag

_PACKAGE = Path(__file__).parent
_CODE = (_PACKAGE, _PACKAGE.parent / "definition", _PACKAGE.parents[1] / "processing_scripts")


def compiled(name: str, *, region: str, role: str, default_bucket: str, folder: Path) -> Compiled:
    """The definition of a pipeline, from a folder of kept ones or compiled now.

    Raises:
        UnknownPipeline: no pipeline has that name.
        PipelineOptionError: an argument has no valid value.
    """
    kept = folder / f"{name}-{_digest(name, region, role, default_bucket)}.json"
    if kept.is_file():
        return _loads(kept.read_text(encoding="utf-8"))
    done = catalog.compile_pipeline(name, region=region, role=role, default_bucket=default_bucket)
    folder.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps({"text": done.text, "lines": done.lines}), encoding="utf-8")
    partial.replace(kept)
    return done


def _loads(text: str) -> Compiled:
    kept = json.loads(text)
    return Compiled(
        text=kept["text"], lines={step: SourceLine(*line) for step, line in kept["lines"].items()}
    )


def _digest(*arguments: str) -> str:
    code = [content_tag(folder) for folder in _CODE if folder.is_dir()]
    return hashlib.sha256("\0".join((*arguments, *code, version("sagemaker"))).encode()).hexdigest()[:16]
