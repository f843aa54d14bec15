"""The measured recall and cost of an index at each effort.

Rows used as queries overstate recall: a row finds itself, and an HNSW graph is densest around its own rows. So the
build keeps a sample of rows out of the index, asks it with them, compares with an exact search over the same rows,
and adds the sample afterwards (docs/adr/0003). Queries of another kind than the rows may find less: a build may be
given some, which are asked of the complete index.

`ladder` says which efforts there are, `recalls` what each of them finds, `costs` what it takes, `frontier` which of
them are worth knowing; `measuring` puts them together, `points` is the result.
"""

from vecinity.indexer.calibration.ladder import CALIBRATED_K
from vecinity.indexer.calibration.measuring import (
    QUERIES_MAX,
    calibrate,
    calibrate_with,
    hold_out,
    rows_without,
)
from vecinity.indexer.calibration.points import Calibration, CalibrationPoint, CalibrationSource

__all__ = [
    "CALIBRATED_K",
    "QUERIES_MAX",
    "Calibration",
    "CalibrationPoint",
    "CalibrationSource",
    "calibrate",
    "calibrate_with",
    "hold_out",
    "rows_without",
]
