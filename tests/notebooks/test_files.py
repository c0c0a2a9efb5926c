"""What a notebook in the repository may hold."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_CELL = 22  # lines
SECRETS = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|aws_(secret_)?access_key|session_token|\b\d{12}\b", re.IGNORECASE
)
ABSOLUTE = re.compile(r"""["'](/|~|[A-Za-z]:\\|file:).*""")  # at the beginning of a string

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def read(path):
    return nbformat.read(path, as_version=4)


def code(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def parsed(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def test_it_is_a_notebook_of_format_4(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert notebook.nbformat == 4
    nbformat.validate(notebook)


def test_nothing_that_a_run_leaves_is_in_it(path):
    for cell in code(path):
        assert (cell.outputs, cell.execution_count) == ([], None)
        assert set(cell.metadata) <= {"tags"}


def test_every_code_cell_is_python_and_short(path):
    for cell in code(path):
        parsed(cell)
        assert len(cell.source.splitlines()) <= LONGEST_CELL


def test_every_code_cell_has_prose_before_it(path):
    kinds = [cell.cell_type for cell in read(path).cells]
    assert [pair for pair in pairwise(kinds) if pair == ("code", "code")] == []


def test_it_names_no_key_and_no_account(path):
    assert SECRETS.search(path.read_text(encoding="utf-8")) is None


def test_it_names_no_place_of_one_machine(path):
    assert [found[0] for cell in code(path) for found in ABSOLUTE.finditer(cell.source)] == []
