"""Has every picture of a data folder decoded, by the job that does it in a container, too."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from workflows.cli.common import say
from workflows.cli.conducting import ended_by_signals, signals_held_back
from workflows.definition.errors import WorkflowError
from workflows.preflight.data.inspection import CHANNELS, BadReport, Inspection, read_inspection

_JOB = "processing_scripts.jobs.inspect_records"
_REPORT = "inspection.json"
_WAY_OUT = "--no-decode checks without it"


def inspect_records(data: Path) -> Inspection | None:
    """What decoding every picture below a folder tells; None where no channel has one file of records.

    Its progress is shown on standard error. A signal ends it, too.

    Raises:
        WorkflowError: it has failed; its own message has been shown.
        KeyboardInterrupt: after it has ended.
    """
    files = [len(list((data / name).rglob("*.rec"))) for name in CHANNELS]
    if not any(files):
        return None
    if max(files) > 1:
        say("* no picture is decoded: a channel has several .rec files")
        return None
    say("* decoding every picture; --no-decode leaves that out")
    with tempfile.TemporaryDirectory(prefix="workflows-") as folder:
        command = [sys.executable, "-m", _JOB, "--input", str(data.resolve()), "--output", folder]
        code = _run(command, opt_ml=folder)
        if code != 0:
            raise WorkflowError(
                f"the pictures in {data} could not be looked at (exit code {code}); see the message above. "
                f"{_WAY_OUT}"
            )
        try:
            return read_inspection(Path(folder, _REPORT))
        except BadReport as error:
            raise WorkflowError(f"{error}; {_WAY_OUT}") from None


def _run(command: list[str], *, opt_ml: str) -> int:
    """The exit code of a job, which writes its message below `opt_ml`."""
    # In a session of its own: a Ctrl-C reaches this process alone, which ends the job without a traceback.
    environment = {**os.environ, "OPT_ML": opt_ml}
    job = None
    with ended_by_signals():
        try:
            with signals_held_back():
                job = subprocess.Popen(command, stdout=2, env=environment, start_new_session=True)
            return job.wait()
        except KeyboardInterrupt:
            if job is not None:
                job.terminate()
                job.wait()
            raise
