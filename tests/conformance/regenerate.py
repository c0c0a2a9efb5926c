"""Compile every pipeline of this suite into a folder, by default `definitions` beside this file.

    python -m tests.conformance.regenerate [--sdk-2 PYTHON] [FOLDER]

Those for version 3 of the SageMaker SDK are compiled in this interpreter. Version 2 needs an environment of
its own (python -m venv FOLDER; FOLDER/bin/pip install "sagemaker<3"), whose interpreter --sdk-2 names;
without it, the definitions compiled with version 2 stay as they are. All are under version control.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
_COMPILE = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); import compile_with_v2 as v2; "
    "print(json.dumps(dict(v2.compile_all())))"
)


def write_definitions(folder: Path, definitions: dict[str, str]) -> None:
    for name, text in definitions.items():
        readable = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(readable + "\n", encoding="utf-8")


def compiled_with_v3() -> dict[str, str]:
    # Importing the SDK takes seconds, which those who only read definitions need not wait.
    from tests.conformance import compile_with_v3

    return dict(compile_with_v3.compile_all())


def compiled_with_v2(python: str) -> dict[str, str]:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", _COMPILE, str(HERE)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "definitions")
    parser.add_argument("--sdk-2", metavar="PYTHON", help="interpreter that has version 2 of the SDK")
    options = parser.parse_args()
    write_definitions(options.folder, compiled_with_v3())
    if options.sdk_2:
        write_definitions(options.folder, compiled_with_v2(options.sdk_2))


if __name__ == "__main__":
    sys.exit(main())
