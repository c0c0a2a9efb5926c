"""A user's processing script: how many records a RecordIO file has, as a property file."""

import json
from pathlib import Path

data, report = Path("/opt/ml/processing/train/train.rec"), Path("/opt/ml/processing/report/report.json")
count, rest = 0, data.read_bytes()
while rest:
    # Magic number, length in the lower 29 bits, payload padded to four bytes.
    length = int.from_bytes(rest[4:8], "little") & (2**29 - 1)
    rest = rest[8 + (length + 3) // 4 * 4 :]
    count += 1
report.write_text(json.dumps({"records": str(count)}))
print(f"{count} records")
