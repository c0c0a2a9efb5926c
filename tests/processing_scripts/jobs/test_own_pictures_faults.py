import json

import pytest
from PIL import Image

from processing_scripts.jobs.prepare_detection import main
from tests.processing_scripts.annotated import write_coco, write_csv, write_voc
from tests.processing_scripts.job_testing import replace_text, write_new

SMALL = ("--workers", 1, "--resize", 64, "--classes", "all")
TRAIN, VAL = "annotations/instances_train2017.json", "annotations/instances_val2017.json"


def refuse(run_job, source, *arguments):
    code, message = run_job(main, "--input", source, "--output", source / "out", *SMALL, *arguments)
    assert code == 1
    assert "\n" not in message
    assert not (source / "out").exists()
    return message.replace(f"{source}/", "").replace(str(source), "INPUT")


def change(name, spoil):
    """Load a JSON file, let `spoil` change it in place, and write it back."""

    def apply(folder):
        document = json.loads((folder / name).read_text())
        spoil(document)
        (folder / name).write_text(json.dumps(document))

    return apply


def set_field(part, position, **fields):
    return change(TRAIN, lambda document: document[part][position].update(fields))


def drop_field(part, position, field):
    return change(TRAIN, lambda document: document[part][position].pop(field))


def repeat(part):
    return change(TRAIN, lambda document: document[part].append(document[part][0]))


def text(name, content):
    return lambda folder: write_new(folder / name, content.encode())


def resized(path):
    return lambda folder: Image.new("RGB", (100, 200)).save(folder / path)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(
            set_field("annotations", 1, image_id=99),
            f"{TRAIN}: annotation 101: image_id 99 is the id of no image",
            id="unknown-image",
        ),
        pytest.param(
            set_field("annotations", 1, category_id=9),
            f"{TRAIN}: annotation 101: category_id 9 is the id of no category",
            id="unknown-category",
        ),
        pytest.param(
            set_field("annotations", 1, image_id="1"),
            f"{TRAIN}: annotation 101: its image_id is '1', not a whole number",
            id="id-as-text",
        ),
        pytest.param(
            set_field("annotations", 1, image_id=[1]),
            f"{TRAIN}: annotation 101: its image_id is [1], not a whole number",
            id="id-as-list",
        ),
        pytest.param(
            set_field("annotations", 1, image_id=10**30),
            f"{TRAIN}: annotation 101: image_id 1{'0' * 30} is the id of no image",
            id="huge-id",
        ),
        pytest.param(
            drop_field("annotations", 1, "bbox"),
            f"{TRAIN}: annotation 101: its bbox is None, not [left, top, width, height]",
            id="no-box",
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, 2, 3]),
            f"{TRAIN}: annotation 101: its bbox is [1, 2, 3], not [left, top, width, height]",
            id="short-box",
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, "x", 3, 4]),
            f"{TRAIN}: annotation 101: top is 'x', not a number",
            id="text-in-box",
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, 2, 0, 4]),
            f"{TRAIN}: annotation 101: the box has no area (width 0, height 4)",
            id="no-area",
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, 2, 3, 120]),
            f"{TRAIN}: annotation 101: the box reaches 22 pixels out of the picture, which has 200 x 100",
            id="box-outside",
        ),
        pytest.param(
            set_field("annotations", 1, iscrowd=2),
            f"{TRAIN}: annotation 101: iscrowd is '2', not 0 or 1",
            id="crowd-flag",
        ),
        pytest.param(
            repeat("annotations"),
            f"{TRAIN}: has annotation 100 twice; ids must be different",
            id="duplicate-annotation",
        ),
        pytest.param(repeat("images"), f"{TRAIN}: has image 1 twice", id="duplicate-image"),
        pytest.param(
            set_field("images", 1, file_name="a b.jpg"),
            f"{TRAIN}: image 2: path train2017/a b.jpg stands in an earlier row too",
            id="duplicate-path",
        ),
        pytest.param(
            set_field("images", 1, file_name="../../etc/passwd"),
            f"{TRAIN}: image 2: '../../etc/passwd' leaves the folder of pictures",
            id="path-outside",
        ),
        pytest.param(
            set_field("images", 1, file_name="a\tb.jpg"),
            f"{TRAIN}: image 2: 'a\\tb.jpg' is unprintable (a tab, perhaps); rename the picture",
            id="tab-in-path",
        ),
        pytest.param(
            set_field("images", 1, file_name=r"train\z.jpg"),
            f"{TRAIN}: image 2: 'train\\\\z.jpg' has a backslash; write / between folders",
            id="backslash-in-path",
        ),
        pytest.param(
            drop_field("images", 1, "file_name"), f"{TRAIN}: image 2: has no file_name", id="no-path"
        ),
        pytest.param(
            lambda folder: (folder / "train2017/z.jpg").unlink(),
            f"{TRAIN}: image 2: picture train2017/z.jpg is not in INPUT",
            id="missing-picture",
        ),
        pytest.param(
            resized("train2017/z.jpg"),
            f"{TRAIN}: image 2: says that train2017/z.jpg has 200 x 100 pixels, the file has 100 x 200: an "
            "orientation tag (EXIF)",
            id="turned-picture",
        ),
        pytest.param(
            set_field("images", 1, width=400),
            "z.jpg has 400 x 100 pixels, the file has 200 x 100: boxes and picture do not belong together",
            id="resized-picture",
        ),
        pytest.param(
            lambda folder: (folder / "train2017").rename(folder / "photos"),
            f"{TRAIN}: its pictures, such as 'a b.jpg', are in none of the folders train2017, "
            "images/train2017, annotations, images, .",
            id="no-folder-of-pictures",
        ),
        pytest.param(
            set_field("images", 1, file_name="ö" * 200), "is too long, or is not written as", id="long-path"
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, [2], 3, 4]),
            f"{TRAIN}: annotation 101: top is '[2]', not a number",
            id="list-in-box",
        ),
        pytest.param(
            set_field("annotations", 1, bbox=[1, 10**400, 3, 4]),
            f"{TRAIN}: annotation 101: top is '1000",
            id="huge-number",
        ),
        pytest.param(
            drop_field("categories", 1, "name"),
            f"{TRAIN}: a class is named ''; give it a printable name",
            id="nameless-category",
        ),
        pytest.param(
            set_field("categories", 0, id=-1), "the id of a category is -1, below 0", id="negative-category"
        ),
        pytest.param(
            set_field("categories", 0, id=10**30),
            f"{TRAIN}: category 1{'0' * 30}: number is '1",
            id="huge-category",
        ),
        pytest.param(
            set_field("categories", 0, name="hen"),
            f"{VAL}: category 1 is 'cow', in instances_train2017.json it is 'hen'; give all files the same",
            id="other-categories",
        ),
        pytest.param(text(TRAIN, '{"images": [NaN]}'), f"{TRAIN}: not JSON: NaN is not a number", id="nan"),
        pytest.param(text(TRAIN, "{"), f"{TRAIN}: not JSON: Expecting property name", id="not-json"),
        pytest.param(text(TRAIN, "[" * 100_000), f"{TRAIN}: is nested too deeply", id="nested"),
        pytest.param(
            text(TRAIN, '{"images": [1]}'),
            f"{TRAIN}: has no list 'images' with an object in it; COCO's files have images, annotations",
            id="not-coco",
        ),
        pytest.param(
            lambda folder: (folder / VAL).rename(folder / "annotations/instances_more.json"),
            "INPUT: holds 2 JSON files; give it one, or one with 'train' in its name and one with 'val' "
            "(annotations/instances_more.json is one too many)",
            id="two-files",
        ),
    ],
)
def test_a_fault_in_coco_is_named(tmp_path, run_job, spoil, fault):
    write_coco(tmp_path)
    spoil(tmp_path)
    assert fault in refuse(run_job, tmp_path)


Z = "Annotations/z.xml"


def spoil_xml(old, new):
    return lambda folder: replace_text(folder / Z, old, new)


BOMB = (
    '<!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><annotation>&b;</annotation>'
)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(
            spoil_xml("<xmin>151</xmin>", "<xmin>left</xmin>"),
            f"{Z}: object 1: xmin is 'left', not a number",
            id="text",
        ),
        pytest.param(
            spoil_xml("<xmin>151</xmin>", ""), f"{Z}: object 1: xmin is '', not a number", id="no-corner"
        ),
        pytest.param(
            spoil_xml("<xmax>12</xmax>", "<xmax>4</xmax>"),
            f"{Z}: object 2: the box has no area (width 0, height 8)",
            id="no-area",
        ),
        pytest.param(
            spoil_xml("<xmax>12</xmax>", "<xmax>300</xmax>"),
            f"{Z}: object 2: the box reaches 100 pixels out of the picture, which has 200 x 100",
            id="outside",
        ),
        pytest.param(
            spoil_xml("<name>cow</name>", "<name> </name>"),
            "Annotations: a class is named ''; give it a printable name",
            id="no-class",
        ),
        pytest.param(
            spoil_xml("<width>200</width>", "<width>20</width>"),
            f"{Z}: says that JPEGImages/z.jpg has 20 x 100 pixels, the file has 200 x 100",
            id="size",
        ),
        pytest.param(
            spoil_xml("z.jpg", "a b.jpg"), f"{Z}: path JPEGImages/a b.jpg stands in an earlier", id="twice"
        ),
        pytest.param(spoil_xml("z.jpg", "../z.jpg"), f"{Z}: '../z.jpg' leaves the folder", id="path"),
        pytest.param(spoil_xml("z.jpg", "y.jpg"), f"{Z}: picture JPEGImages/y.jpg is not in", id="missing"),
        pytest.param(text(Z, BOMB), f"{Z}: not an annotation in XML: has a document type", id="entities"),
        pytest.param(
            text(Z, '<!DOCTYPE a SYSTEM "/etc/passwd"><annotation/>'), "has a document type", id="external"
        ),
        pytest.param(text(Z, "<annotation>"), f"{Z}: not an annotation in XML: no element found", id="cut"),
        pytest.param(text(Z, "<html/>"), f"{Z}: begins with <html>, not with <annotation>", id="html"),
        pytest.param(text(Z, "<annotation>" + "<a>" * 100_000), "no element found", id="nested"),
        pytest.param(
            text("ImageSets/Main/val.txt", "bird\n\nkoeh\n"),
            "ImageSets/Main/val.txt: row 3: there is no annotation file koeh.xml",
            id="unknown-name",
        ),
        pytest.param(
            text("ImageSets/Main/val.txt", "bird\nz\n"),
            "ImageSets/Main/val.txt: z is also in train.txt",
            id="in-both-lists",
        ),
        pytest.param(
            text("ImageSets/Main/val.txt", "bird\nbird\n"),
            "ImageSets/Main/val.txt: row 2: bird stands in an earlier row too",
            id="twice-in-list",
        ),
    ],
)
def test_a_fault_in_voc_is_named(tmp_path, run_job, spoil, fault):
    write_voc(tmp_path)
    spoil(tmp_path)
    assert fault in refuse(run_job, tmp_path)


RANDOM = ("--split", "random", "--train-ratio", 0.5)
HEADER = "path,class,xmin,ymin,xmax,ymax"


def row(content, header=HEADER):
    """A file whose third row is faulty."""
    return text("boxes.csv", f"{header}\nz.jpg,cow,1,1,9,9\n{content}\nbird.jpg,cow,1,1,9,9\n")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(row("z.jpg,cow,1,b,9,9"), "boxes.csv: row 3: ymin is 'b', not a number", id="text"),
        pytest.param(row("z.jpg,cow,1,,9,9"), "boxes.csv: row 3: ymin is '', not a number", id="no-corner"),
        pytest.param(row("z.jpg,cow,1,nan,9,9"), "boxes.csv: row 3: ymin is 'nan', not a number", id="nan"),
        pytest.param(
            row('z.jpg,cow,1,"b\nc",9,9'), "boxes.csv: row 3: ymin is 'b\\nc', not a number", id="newline"
        ),
        pytest.param(row("z.jpg,,1,1,9,9"), "boxes.csv: row 3: has a box and no class", id="no-class"),
        pytest.param(
            row("z.jpg,cow,9,1,2,9"), "boxes.csv: row 3: the box has no area (width -7", id="turned"
        ),
        pytest.param(row("z.jpg,cow,1,1,9"), "boxes.csv: row 3: ymax is '', not a number", id="short"),
        pytest.param(
            row("z.jpg,cow,1,1,9,9,9"),
            "boxes.csv: Expected 6 fields in line 3, saw 7; put a field",
            id="long",
        ),
        pytest.param(
            row("/z.jpg,cow,1,1,9,9"), "boxes.csv: row 3: '/z.jpg' leaves the folder", id="absolute"
        ),
        pytest.param(row("y.jpg,cow,1,1,9,9"), "boxes.csv: row 3: picture y.jpg is not in", id="missing"),
        pytest.param(
            row("z.jpg,cow,1,1,9,9,dev", f"{HEADER},split"), "split is '', not train", id="no-split"
        ),
        pytest.param(
            text("boxes.csv", f"{HEADER},split\nz.jpg,cow,1,1,9,9,train\nz.jpg,cow,1,1,9,9,val\n"),
            "boxes.csv: row 3: split of z.jpg is another than in an earlier row",
            id="two-splits",
        ),
        pytest.param(
            text("boxes.csv", f"{HEADER},dificult\nz.jpg,cow,1,1,9,9,1\n"),
            "boxes.csv: row 1: has a column 'dificult'; did you mean 'difficult'?",
            id="misspelt",
        ),
        pytest.param(
            text("boxes.csv", f"{HEADER}\nz.jpg,cow,1,1,9,9,1\n"),
            "boxes.csv: its rows have more fields than its header",
            id="nameless-column",
        ),
        pytest.param(text("boxes.csv", f"{HEADER}\nz.jpg,,,,,\n"), "no picture has an object", id="no-box"),
        pytest.param(
            text("boxes.csv", f"{HEADER},width\nz.jpg,cow,1,1,9,9,20\nz.jpg,cow,1,1,9,9,21\n"),
            "boxes.csv: row 3: width of z.jpg is another than in an earlier row",
            id="two-widths",
        ),
        pytest.param(text("boxes.csv", f"{HEADER}\n"), "boxes.csv: has no rows below its header", id="empty"),
        pytest.param(
            text("boxes.csv", "path;class\nz.jpg;cow\n"),
            "but a b.jpg, bird.jpg, boxes.csv, köh.png, z.jpg, and not COCO's .json files",
            id="semicolons",
        ),
    ],
)
def test_a_fault_in_csv_is_named(tmp_path, run_job, spoil, fault):
    write_csv(tmp_path)
    spoil(tmp_path)
    assert fault in refuse(run_job, tmp_path, *([] if "split" in fault else RANDOM))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        pytest.param(
            "cow,animal\ncow,beast", "map.csv: row 3: from is 'cow' in an earlier row too", id="twice"
        ),
        pytest.param("kow,animal", "map.csv: no class is named 'kow'; did you mean 'cow'?", id="misspelt"),
        pytest.param("pig,animal", "map.csv: no class is named 'pig'; boxes.csv has cow, hen", id="unknown"),
        pytest.param(",animal", "map.csv: row 2: from is empty; name a class in it", id="nothing"),
        pytest.param("cow,\nhen,", "map.csv: drops every class", id="drops-all"),
        pytest.param("cow,x\nCow,y", "map.csv: 'Cow' and 'cow' are the same class", id="other-case"),
    ],
)
def test_a_fault_in_the_class_map_is_named(tmp_path, run_job, rows, fault):
    write_csv(tmp_path)
    (tmp_path / "map.csv").write_text(f"from,to\n{rows}\n")
    assert fault in refuse(run_job, tmp_path, "--class-map", "map.csv")


def test_a_class_map_that_is_not_there_is_named(tmp_path, run_job):
    write_csv(tmp_path)
    assert "nap.csv: not there; name a CSV file in the input folder" in refuse(
        run_job, tmp_path, "--class-map", "nap.csv"
    )


def test_the_default_species_are_no_classes_of_somebody_elses_data(tmp_path, run_job):
    write_csv(tmp_path)
    code, message = run_job(main, "--input", tmp_path, "--output", tmp_path / "out")
    assert code == 1
    assert message.startswith("--classes: no class is named '17'; boxes.csv has cow, hen")
