"""Parts of several instances become the record files of one."""

import shutil

import pytest

from processing_scripts.jobs import join_records, prepare_classification, prepare_detection
from tests.processing_scripts.instance_testing import merge, message, opt_ml, output
from tests.processing_scripts.job_testing import tree

BIRDS = ("--workers", "1", "--resize", "64")
THINGS = (*BIRDS, "--image-shape", "3,64,64", "--training-per-class", "5")


@pytest.fixture(scope="module")
def prepared(drawn_birds, drawn_things, tmp_path_factory):
    """What S3 holds after a preparation, by job and number of instances. Read only."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:

        def run(job, source, arguments, count):
            name = f"{job.__name__.rpartition('.')[2]}-{count}"
            roots = [opt_ml(folder / name, index, count) for index in range(count)]
            for root in roots:
                patch.setenv("OPT_ML", str(root))
                assert job.main(["--input", str(source), *arguments]) == 0, message(root)
            return merge(roots, folder / f"{name}-merged")

        return {
            (job, count): run(*what, count)
            for job, what in {
                "birds": (prepare_detection, drawn_birds, BIRDS),
                "things": (prepare_classification, drawn_things, THINGS),
            }.items()
            for count in (1, 3)
        }


@pytest.fixture
def inputs(tmp_path):
    """Give the job these folders of a preparation, as copies to spoil."""

    def give(merged, *folders):
        for name in folders:
            shutil.copytree(merged / name, tmp_path / "opt-ml" / "processing" / "input" / name)
        return tmp_path / "opt-ml" / "processing" / "input"

    return give


@pytest.mark.parametrize(
    ("job", "folders"),
    [
        pytest.param("birds", ("train", "train_flipped", "validation"), id="birds"),
        pytest.param("things", ("train", "validation"), id="things"),
    ],
)
def test_the_files_are_those_of_one_instance(prepared, inputs, tmp_path, run_job, job, folders):
    inputs(prepared[job, 3], "lists", *folders)
    assert run_job(join_records.main) == (0, None)
    one = tree(prepared[job, 1])
    found = tree(output(tmp_path / "opt-ml"))
    del found["lists/outputs.json"]
    wanted = {f"{folder}/" for folder in folders} | {f"lists/{folder}.idx" for folder in folders}
    assert found == {name: digest for name, digest in one.items() if name.startswith(tuple(wanted))}


def test_a_file_that_is_whole_is_passed_on(prepared, inputs, tmp_path, run_job):
    inputs(prepared["things", 1], "train")
    assert run_job(join_records.main) == (0, None)
    found = output(tmp_path / "opt-ml")
    assert tree(found / "train") == tree(prepared["things", 1] / "train")


def part(number):
    return f"train/train-{number:05}-of-00003.rec"


def cut_last_record(folder):
    data = (folder / part(3)).read_bytes()
    # Records of the last part, by its index; without its last one.
    start = int((folder / "lists" / "train-00003-of-00003.idx").read_text().splitlines()[-1].split("\t")[1])
    (folder / part(3)).write_bytes(data[:start])


def append_record(folder):
    with (folder / part(3)).open("ab") as file:
        file.write((folder / part(1)).read_bytes())


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(
            lambda folder: (folder / part(2)).unlink(),
            "train: holds train-00001-of-00003.rec, train-00003-of-00003.rec; give it all 3 parts of "
            "train.rec",
            id="missing-part",
        ),
        pytest.param(
            lambda folder: shutil.copy(folder / part(1), folder / part(2)),
            "train-00002-of-00003.rec: record 1 has the id ",
            id="part-twice",
        ),
        pytest.param(append_record, "train.lst: ends after 20 rows; ", id="too-many-records"),
        pytest.param(cut_last_record, ": no part goes on with the id ", id="record-missing"),
        pytest.param(
            lambda folder: (folder / part(2)).write_bytes((folder / part(2)).read_bytes()[:-7]),
            "train-00002-of-00003.rec: record at byte ",
            id="cut-short",
        ),
        pytest.param(
            lambda folder: (folder / "train" / "train.rec").touch(),
            "give it one .rec file, or all parts of one",
            id="whole-file-too",
        ),
        pytest.param(
            lambda folder: (folder / "train" / "train-00001-of-00002.rec").touch(),
            "give it one .rec file, or all parts of one",
            id="part-of-another-run",
        ),
        pytest.param(
            lambda folder: (folder / "train" / "train-00004-of-00003.rec").touch(),
            "give it all 3 parts of train.rec",
            id="part-too-many",
        ),
        pytest.param(
            lambda folder: shutil.rmtree(folder / "train"), "holds no folder with record files", id="none"
        ),
        pytest.param(
            lambda folder: [path.unlink() for path in (folder / "train").iterdir()],
            "train: holds nothing; give it one .rec file",
            id="empty-folder",
        ),
        pytest.param(lambda folder: shutil.rmtree(folder / "lists"), "train.lst: not there", id="no-list"),
        pytest.param(
            lambda folder: (folder / "lists" / "train.lst").write_text("a\t0\tb.jpg\n"),
            "train.lst: row 1: invalid literal for int() with base 10: 'a'; expected an index",
            id="no-index",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(prepared, inputs, tmp_path, run_job, spoil, fault):
    spoil(inputs(prepared["things", 3], "lists", "train"))
    code, told = run_job(join_records.main)
    assert code == 1
    assert fault in told
    assert "\n" not in told
    assert not output(tmp_path / "opt-ml").exists()


def test_several_instances_are_refused(tmp_path, monkeypatch):
    root = opt_ml(tmp_path, 1, 2)
    monkeypatch.setenv("OPT_ML", str(root))
    assert join_records.main([]) == 1
    assert message(root) == "join_records runs on one instance, not on 2; set the step's InstanceCount to 1"
