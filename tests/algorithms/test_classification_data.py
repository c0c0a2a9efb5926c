import io

import cv2
import numpy as np
import pytest

from algorithms.engine import mx
from algorithms.image_classification.data import TrainingData, holds_images, scan, validation_batches
from algorithms.image_classification.lists import read_list
from algorithms.image_classification.pictures import whole_input
from algorithms.image_classification.settings import ImageShape, parse_settings
from processing_scripts.contract import JobError
from processing_scripts.vision.images import decode_image, read_size
from tests.algorithms.classification_jobs import RECIPE, drawn_examples, multi_label_examples
from tests.algorithms.detection_jobs import write_records

RECORDIO, IMAGES = "application/x-recordio", "application/x-image"


def settings_of(**given):
    return parse_settings({**RECIPE, **given})


@pytest.fixture
def channels(tmp_path, monkeypatch):
    """The folder of channels of a job that is this process."""
    monkeypatch.setenv("OPT_ML", str(tmp_path))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "input" / "data"


def scan_records(channels, examples, **given):
    write_records(channels / "train" / "x.rec", examples)
    return scan("train", settings_of(**given), channels.parents[1] / "scratch", images=False)


def scan_images(channels, rows, files, **given):
    for name, content in files.items():
        path = channels / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (channels / "train_lst").mkdir(parents=True)
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (channels / "train_lst" / "train.lst").write_text(text)
    return scan("train", settings_of(**given), channels.parents[1] / "scratch", images=True)


def told(call, *arguments, **keywords):
    with pytest.raises(JobError) as caught:
        call(*arguments, **keywords)
    return str(caught.value)


# --- forms of input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "images"),
    [
        pytest.param((RECORDIO, RECORDIO), False, id="recordio"),
        pytest.param((IMAGES, IMAGES), True, id="images"),
        pytest.param(("image/jpeg", "image/png"), True, id="jpeg-and-png"),
        pytest.param((RECORDIO + "; label-format=multi-hot", RECORDIO), False, id="parameter"),
        pytest.param((None, None), False, id="not-given"),
    ],
)
def test_the_form_of_input_follows_from_the_content_types(types, images):
    config = {
        name: {} if kind is None else {"ContentType": kind}
        for name, kind in zip(("train", "validation"), types, strict=True)
    }
    assert holds_images({**config, "model": {"ContentType": "application/x-sagemaker-model"}}) == images


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        pytest.param({"ContentType": "text/csv"}, "channel 'train' has ContentType 'text/csv'", id="type"),
        pytest.param({"TrainingInputMode": "Pipe"}, "channel 'train' comes in Pipe mode", id="pipe"),
        pytest.param({"RecordWrapperType": "RecordIO"}, "is an augmented manifest", id="manifest"),
        pytest.param({"ContentType": IMAGES}, "hold different forms of pictures", id="mixed"),
    ],
)
def test_a_form_of_input_that_cannot_be_read_is_refused(entry, fault):
    assert fault in told(holds_images, {"train": entry, "validation": {"ContentType": RECORDIO}})


# --- checks before training ------------------------------------------------------------------------------


def test_a_channel_is_counted_class_by_class(channels):
    records = scan_records(channels, drawn_examples(9, seed=1)[:7])
    assert records.count == 7
    assert records.class_counts.tolist() == [3, 3, 1]


def picture(width, height):
    return cv2.imencode(".png", np.zeros((height, width, 3), dtype=np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("example", "given", "fault"),
    [
        pytest.param((3.0, picture(40, 40)), {}, "record 2: class 3 is not one of 0 to 2", id="class"),
        pytest.param((-1.0, picture(40, 40)), {}, "class -1 is not one of", id="negative"),
        pytest.param((0.5, picture(40, 40)), {}, "class 0.5 is not one of", id="half"),
        pytest.param((float("nan"), picture(40, 40)), {}, "class nan is not one of", id="nan"),
        pytest.param(([1.0, 0.0], picture(40, 40)), {}, "its label has 2 numbers", id="vector"),
        pytest.param(
            (1.0, picture(27, 40)),
            {},
            "record 2: the picture has 27 x 40 pixels, less than the 28 x 28",
            id="narrow",
        ),
        pytest.param((1.0, picture(40, 27)), {}, "has 40 x 27 pixels, less than the 28 x 28", id="low"),
        pytest.param((1.0, b"GIF89a"), {}, "record 2: is not a readable JPEG or PNG file", id="no-picture"),
    ],
)
def test_a_faulty_record_is_named(channels, example, given, fault):
    message = told(scan_records, channels, [*drawn_examples(2, seed=1), example], **given)
    assert "x.rec: " in message
    assert fault in message


def test_a_small_picture_is_enlarged_where_the_job_resizes(channels):
    examples = [(0.0, picture(20, 25)), (1.0, picture(31, 22))]
    records = scan_records(channels, examples, resize="30", mini_batch_size="2")
    (batch,) = validation_batches(records, settings_of(resize="30", mini_batch_size="2"))
    assert batch.inputs.shape == (2, 3, 28, 28)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param([1.0, 0.0], id="short"),
        pytest.param([1.0, 2.0, 0.0], id="no-flag"),
        pytest.param(1.0, id="class-number"),
    ],
)
def test_a_faulty_multi_label_vector_is_named(channels, label):
    examples = [*multi_label_examples(3, seed=1), (label, picture(40, 40))]
    message = told(scan_records, channels, examples, multi_label="1")
    assert "record 3: its label" in message
    assert "a 0 or 1 for each of the 3 classes" in message


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        pytest.param([], "channel 'train' holds no .rec file (it holds notes.txt)", id="none"),
        pytest.param(["a.rec", "b/c.rec"], "holds 2 .rec files (a.rec, b/c.rec); give exactly one", id="two"),
    ],
)
def test_a_channel_holds_exactly_one_record_file(channels, names, fault):
    (channels / "train").mkdir(parents=True)
    (channels / "train" / "notes.txt").write_text("")
    for name in names:
        write_records(channels / "train" / name, drawn_examples(2, seed=1))
    assert fault in told(scan, "train", settings_of(), channels.parents[1] / "scratch", images=False)


# --- image files -----------------------------------------------------------------------------------------


def test_image_files_become_the_records_that_their_list_says(channels):
    examples = drawn_examples(6, seed=3)
    files = {f"{int(kind)}/{number}.jpg": image for number, (kind, image) in enumerate(examples)}
    rows = [
        (number, label, name) for number, (name, (label, _)) in enumerate(zip(files, examples, strict=True))
    ]
    from_images = scan_images(channels, rows, files)
    settings = settings_of(mini_batch_size="6")
    (batch,) = validation_batches(from_images, settings)
    write_records(channels / "train" / "x.rec", examples)
    from_records = scan("train", settings, channels.parents[1] / "scratch", images=False)
    (expected,) = validation_batches(from_records, settings)
    np.testing.assert_array_equal(batch.inputs, expected.inputs)
    np.testing.assert_array_equal(batch.labels, expected.labels)


def test_multi_hot_columns_become_label_vectors(channels):
    records = scan_images(
        channels,
        [(5, 1, 0, 1, "a.png"), (9, 0, 0, 1, "b.png")],
        {"a.png": picture(30, 30), "b.png": picture(30, 30)},
        multi_label="1",
    )
    assert records.class_counts.tolist() == [1, 0, 2]
    (batch,) = validation_batches(records, settings_of(multi_label="1"))
    assert batch.labels.tolist() == [[1, 0, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        pytest.param(
            [(0, 0, "a.png"), (1, 0, "b.png")], "row 2: channel 'train' has no file 'b.png'", id="missing"
        ),
        pytest.param([(0, 0, "../secret")], "row 1: '../secret' leads out of the channel", id="outside"),
        pytest.param([(0, 0, "/etc/passwd")], "leads out of the channel", id="absolute"),
        pytest.param([(0, 0, "a.png"), (0, 1, "a.png")], "has index 0, as", id="index-twice"),
        pytest.param([(0, "cat", "a.png")], "row 1: could not convert string to float: 'cat'", id="word"),
        pytest.param([(0, "a.png")], "expected index, label and path", id="no-label"),
        pytest.param([(0, 7, "a.png")], "a.png: class 7 is not one of 0 to 2", id="class"),
        pytest.param([(0, 0, "small.png")], "small.png: the picture has 10 x 12 pixels", id="small"),
        pytest.param([], "lists no pictures", id="empty"),
    ],
)
def test_a_faulty_list_is_named_by_file_and_row(channels, rows, fault):
    message = told(scan_images, channels, rows, {"a.png": picture(30, 30), "small.png": picture(10, 12)})
    assert fault in message
    assert "train.lst" in message


def test_an_empty_line_of_a_list_is_passed_over(tmp_path):
    path = tmp_path / "x.lst"
    path.write_text("1\t0\ta b.jpg\n\n2\t1.000000\t c/d.jpg \n")
    assert [(row.index, row.label, row.path) for row in read_list(path)] == [
        (1, (0.0,), "a b.jpg"),
        (2, (1.0,), "c/d.jpg"),
    ]


# --- batches ---------------------------------------------------------------------------------------------


def numbered(count, side=40):
    """Pictures whose label is their position."""
    rng = np.random.default_rng(0)
    return [
        (
            float(number),
            cv2.imencode(".png", rng.integers(0, 255, (side, side, 3)).astype(np.uint8))[1].tobytes(),
        )
        for number in range(count)
    ]


def epoch_of(records, settings, number):
    with TrainingData(records, settings, seed=5) as training:
        # Copied at once: MXNet uses a batch's memory again for later ones.
        return [(batch.data.asnumpy(), batch.label.asnumpy()) for batch in training.epoch(number)]


def labels_of(batches):
    return [int(label) for _, labels in batches for label in labels]


def test_an_epoch_has_full_batches_only_and_no_picture_twice(channels):
    settings = settings_of(num_classes="20", mini_batch_size="8")
    records = scan_records(channels, numbered(20), num_classes="20")
    labels = labels_of(epoch_of(records, settings, 0))
    assert len(labels) == 16
    assert len(set(labels)) == 16


def test_the_whole_file_is_shuffled_and_not_neighbours_only(channels):
    """Without an index MXNet shuffles within eight megabytes; a list sorted by class stays sorted."""
    settings = settings_of(num_classes="1500", mini_batch_size="30", augmentation_type="crop")
    noise = numbered(1, side=64)[0][1]
    assert len(noise) > 12_000
    records = scan_records(channels, [(float(number), noise) for number in range(1500)], num_classes="1500")
    assert records.path.stat().st_size > 16 << 20
    with TrainingData(records, settings, seed=5) as training:
        first = next(training.epoch(0)).label.asnumpy()
    assert first.max() > 1200
    assert first.min() < 300


def test_every_epoch_is_shuffled_anew_and_follows_from_its_number_alone(channels):
    settings = settings_of(num_classes="20", mini_batch_size="4", augmentation_type="crop_color_transform")
    records = scan_records(channels, numbered(20), num_classes="20")
    with TrainingData(records, settings, seed=5) as training:
        epochs = [
            [(batch.data.asnumpy(), batch.label.asnumpy()) for batch in training.epoch(number)]
            for number in (0, 1)
        ]
    assert labels_of(epochs[0]) != labels_of(epochs[1])
    again = epoch_of(records, settings, 1)
    for (data, labels), (expected, expected_labels) in zip(again, epochs[1], strict=True):
        np.testing.assert_array_equal(data, expected)
        np.testing.assert_array_equal(labels, expected_labels)


def centre(image):
    pixels = decode_image(image, source="here")
    top, left = (pixels.shape[0] - 28) // 2, (pixels.shape[1] - 28) // 2
    return pixels[top : top + 28, left : left + 28, ::-1].transpose(2, 0, 1)


def test_training_pictures_without_augmentation_are_the_centres_in_raw_colours(channels):
    examples = numbered(8)
    settings = parse_settings(
        {name: value for name, value in RECIPE.items() if name != "augmentation_type"}
        | {"num_classes": "8", "mini_batch_size": "8"}
    )
    records = scan_records(channels, examples, num_classes="8")
    ((data, labels),) = epoch_of(records, settings, 0)
    for inputs, label in zip(data, labels, strict=True):
        np.testing.assert_array_equal(inputs, centre(examples[int(label)][1]))


@pytest.mark.parametrize("augmentation", ["crop", "crop_color", "crop_color_transform"])
def test_augmented_pictures_differ_from_the_centres(channels, augmentation):
    examples = numbered(16, side=28)
    given = {"num_classes": "16", "mini_batch_size": "16", "augmentation_type": augmentation}
    records = scan_records(channels, examples, **given)
    ((data, labels),) = epoch_of(records, settings_of(**given), 0)
    whole = [
        np.array_equal(row, centre(examples[int(label)][1])) for row, label in zip(data, labels, strict=True)
    ]
    mirrored = [
        np.array_equal(row[:, :, ::-1], centre(examples[int(label)][1]))
        for row, label in zip(data, labels, strict=True)
    ]
    if augmentation == "crop":
        # Nothing to crop at this size, so each picture is either itself or its mirror image.
        assert all(a or b for a, b in zip(whole, mirrored, strict=True))
        assert any(whole)
        assert any(mirrored)
    else:
        assert not any(whole)


@pytest.mark.parametrize("resize", [pytest.param(None, id="as-it-is"), pytest.param("33", id="resized")])
def test_validation_sees_what_mxnets_own_reader_sees_and_every_picture_once(channels, resize):
    given = {"mini_batch_size": "8"} | ({"resize": resize} if resize else {})
    examples = drawn_examples(21, seed=4)
    records = scan_records(channels, examples, **given)
    batches = list(validation_batches(records, settings_of(**given)))
    assert [len(batch.inputs) for batch in batches] == [8, 8, 5]
    plain = mx.io.ImageRecordIter(
        path_imgrec=str(records.path),
        data_shape=(3, 28, 28),
        batch_size=21,
        verbose=False,
        **({"resize": int(resize)} if resize else {}),
    )
    expected = next(plain)
    inputs = np.concatenate([batch.inputs for batch in batches])
    # Two JPEG decoders may round differently.
    assert np.abs(inputs - expected.data[0].asnumpy()).max() <= 2
    labels = np.concatenate([batch.labels for batch in batches])[:, 0]
    np.testing.assert_array_equal(labels, expected.label[0].asnumpy())


def test_a_requests_picture_is_stretched_whole():
    pixels = np.zeros((10, 40, 3), dtype=np.uint8)
    pixels[:, 20:, 2] = 200  # the right half is red
    inputs = whole_input(pixels, ImageShape(3, 28, 20))
    assert inputs.shape == (3, 28, 20)
    assert inputs[0, :, :9].max() == 0
    assert inputs[0, :, 11:].min() == 200
    assert inputs[1:].max() == 0


def test_the_drawn_pictures_are_larger_than_the_network_takes():
    """Else no test would notice a missing crop."""
    assert {read_size(io.BytesIO(image), source="here") for _, image in drawn_examples(3, seed=1)} == {
        (36, 32)
    }
