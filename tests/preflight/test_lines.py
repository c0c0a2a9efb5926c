import json

import pytest

from workflows.preflight.lines import line_of

TEXT = """{
  "Version": "2020-12-01", "Steps": [
    {"Name": "A", "Arguments": {}},

    {
      "Name": "B",
      "Name": "C", "Arguments": {"a/b": [1,
        {"c": "}]\\n"}
      ]}
    }
  ]
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param((), 1, id="document"),
        pytest.param(("Version",), 2, id="member"),
        pytest.param(("Steps", 0, "Arguments"), 3, id="first-entry"),
        pytest.param(("Steps", 1), 5, id="second-entry"),
        pytest.param(("Steps", 1, "Name"), 7, id="of-two-the-last"),
        pytest.param(("Steps", 1, "Arguments", "a/b", 1, "c"), 8, id="deep"),
        pytest.param(("Steps", 1, "DependsOn"), 5, id="absent-member"),
        pytest.param(("Steps", 7, "Name"), 2, id="absent-entry"),
        pytest.param(("Version", "a"), 2, id="below-a-scalar"),
    ],
)
def test_the_line_of_a_place(path, line):
    json.loads(TEXT)
    assert line_of(TEXT, path) == line
