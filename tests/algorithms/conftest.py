from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.algorithms.detection_jobs import RECIPE, Finished, Job, drawn_examples, make_job, write_records


@dataclass(frozen=True)
class Data:
    train: Path
    validation: Path

    @property
    def channels(self) -> dict[str, Path]:
        return {"train": self.train, "validation": self.validation}


@dataclass(frozen=True)
class Trained:
    job: Job
    finished: Finished


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("data")
    return Data(
        write_records(folder / "train.rec", drawn_examples(48, seed=1)),
        # Not a multiple of the batch size: each picture must count exactly once all the same.
        write_records(folder / "validation.rec", drawn_examples(21, seed=2)),
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Trained:
    """One finished training, which most tests look at from different sides."""
    job = make_job(tmp_path_factory.mktemp("base") / "ml", data.channels, RECIPE)
    finished = job.train()
    assert finished.code == 0, finished.errors
    return Trained(job, finished)
