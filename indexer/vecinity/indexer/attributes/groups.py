"""Numbers in the place of the values of an attribute, for what only asks which items share one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def group_codes(column: Any) -> NDArray[np.int32]:
    """A number for the value of each row.

    Args:
        column: pyarrow.ChunkedArray of any type but a list.

    Returns:
        int32 (rows,); equal values have equal numbers, all NaN are equal, 0 and -0 too. -1 where there is no value.
    """
    if pa.types.is_floating(column.type):
        column = pc.add(column, 0.0)  # makes 0 of -0, which Arrow would tell apart
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no rows, or of more characters than fit into one array
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=column.type)
    codes: NDArray[np.int32] = pc.fill_null(array.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32, copy=False)
