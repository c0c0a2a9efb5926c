"""DataProcessing: what of a record is asked, and how answers come together with their records.

CSV cells stay the texts that they are; JSON is written without blanks.

Sources: SageMaker Developer Guide, "Associate Prediction Results with Input Records"; DataProcessing in the
API reference.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.transform.jsonpath import ROOT, JsonPath

CSV, JSON_DOCUMENT, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
_INPUT, _OUTPUT = "SageMakerInput", "SageMakerOutput"
# A cell may be as large as the largest request, such as a picture in Base64; Python's own limit is 128 KiB.
csv.field_size_limit(100 * 1024 * 1024)


class AssociationError(WorkflowError):
    """A record or an answer is not of its format, or they do not fit together."""


@dataclass(frozen=True)
class Format:
    """How values are written; `joined` is a record and its answer in one value."""

    read: Callable[[str], JSON]
    write: Callable[[JSON], str]
    joined: Callable[[JSON, JSON], JSON]


@dataclass(frozen=True, kw_only=True)
class Association:
    """What a transform job does with records and answers beside sending them."""

    input_format: Format
    output_format: Format
    by_line: bool  # every line is a record; otherwise an object is one document
    input_filter: JsonPath = ROOT
    output_filter: JsonPath = ROOT
    joins: bool = False

    def ask(self, record: bytes) -> bytes:
        """What of a record the model is asked about.

        Raises:
            AssociationError: it is not of its format.
            PathError: the filter leads nowhere in it.
        """
        if self.input_filter.is_root:
            return record
        found = [self._asked(text) for text in self._texts(record)]
        return "\n".join(found).encode()

    def answer(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """What is stored of the answer to a request with these records.

        Raises:
            AssociationError: it is not of its format, or has not one part for each record.
            PathError: the filter leads nowhere in it.
        """
        if not self.joins and self.output_filter.is_root:
            return answer
        texts = [text for record in records for text in self._texts(record)]
        answers = self._answers(answer, len(texts))
        if not self.joins:
            return self._stored([_read(self.output_format, text) for text in answers])
        if len(answers) != len(texts):
            raise AssociationError(
                f"{len(texts)} records were sent, and {len(answers)} came back: they cannot be joined"
            )
        pairs = zip(texts, answers, strict=True)
        return self._stored([self._joined(record, answer) for record, answer in pairs])

    def _asked(self, text: str) -> str:
        return self.input_format.write(self.input_filter.select(_read(self.input_format, text)))

    def _joined(self, record: str, answer: str) -> JSON:
        return self.output_format.joined(_read(self.input_format, record), _read(self.output_format, answer))

    def _stored(self, values: Sequence[JSON]) -> bytes:
        texts = [self.output_format.write(self.output_filter.select(value)) for value in values]
        return "\n".join(texts).encode()

    def _texts(self, blob: bytes) -> list[str]:
        return _lines(blob) if self.by_line else [_text(blob)]

    def _answers(self, answer: bytes, count: int) -> list[str]:
        # One document may be written over several lines.
        single = not self.by_line or (count == 1 and self.output_format is FORMATS[JSON_DOCUMENT])
        return [_text(answer)] if single else _lines(answer)


def _text(blob: bytes) -> str:
    try:
        return blob.decode()
    except UnicodeDecodeError as error:
        raise AssociationError(f"not UTF-8 text: {error}") from None


def _lines(blob: bytes) -> list[str]:
    texts = _text(blob).split("\n")
    return [text.removesuffix("\r") for text in (texts if texts[-1] else texts[:-1])]


def _read(form: Format, text: str) -> JSON:
    try:
        return form.read(text)
    except (ValueError, csv.Error, RecursionError) as error:
        raise AssociationError(f"{text[:80]!r} cannot be read: {error}") from None


def _read_json(text: str) -> JSON:
    value: JSON = json.loads(text)
    return value


def _write_json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joined_json(record: JSON, answer: JSON) -> JSON:
    if isinstance(record, dict):
        return {**record, _OUTPUT: answer}
    return {_INPUT: record, _OUTPUT: answer}


def _read_row(text: str) -> JSON:
    # Strict: an open quotation mark would be a line break inside a cell, which SageMaker does not take.
    rows = list(csv.reader([text], strict=True))
    return list(rows[0]) if rows else []


def _write_row(value: JSON) -> str:
    cells = value if isinstance(value, list) else [value]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def _joined_rows(record: JSON, answer: JSON) -> JSON:
    return [part for row in (record, answer) for part in (row if isinstance(row, list) else [row])]


FORMATS: Mapping[str, Format] = {
    CSV: Format(_read_row, _write_row, _joined_rows),
    JSON_DOCUMENT: Format(_read_json, _write_json, _joined_json),
    JSON_LINES: Format(_read_json, _write_json, _joined_json),
}


def media_type(value: str) -> str:
    """text/csv in "text/csv; charset=utf-8"."""
    return value.partition(";")[0].strip().lower()
