from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.algorithms import classification_jobs
from tests.algorithms.classification_jobs import ClassificationJob, make_classification_job
from tests.algorithms.classification_jobs import Finished as Classifications
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


@dataclass(frozen=True)
class Classified:
    job: ClassificationJob
    finished: Classifications


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """The channels of a classification: sorted by class, and no whole number of batches."""
    folder = tmp_path_factory.mktemp("pictures")
    return Data(
        write_records(folder / "train.rec", classification_jobs.drawn_examples(70, seed=1)),
        write_records(folder / "validation.rec", classification_jobs.drawn_examples(21, seed=2)),
    )


@pytest.fixture(scope="session")
def classified(tmp_path_factory: pytest.TempPathFactory, pictures: Data) -> Classified:
    """One finished classification training, which most tests look at from different sides."""
    root = tmp_path_factory.mktemp("classification") / "ml"
    job = make_classification_job(root, pictures.channels, classification_jobs.RECIPE)
    finished = job.run()
    assert finished.code == 0, finished.errors
    return Classified(job, finished)
