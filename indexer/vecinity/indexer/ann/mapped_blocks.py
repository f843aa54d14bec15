"""FastScan's codes as they lie in the index file: processes share them, and to open an index reads none of them.

FAISS maps plain lists only (`faiss.IO_FLAG_MMAP`). But all that a search asks of inverted lists is where the codes and
the row numbers of one begin, and FAISS's `OnDiskInvertedLists` can say so of blocks too, if they lie in its order. So
an index is written as if its lists were empty, and behind it come

    each list that is not empty   its blocks of codes, then its rows, int64; see `_layout` for where
    the sizes                     rows of each list, uint64 (nlist,)
    the end                       where the lists begin, uint64; nlist, uint64; a mark of 8 bytes

in the machine's byte order, as all that FAISS writes. docs/adr/0011 has the measurements.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

_END = struct.Struct("=QQ8s")
_MARK = b"vcblocks"
_ALIGNED = 64  # a line of the cache; FastScan asks for 32
_ROW_BYTES = 8


class _Layout(NamedTuple):
    """Where lists lie in the file; all int64 (nlist,), of an empty list without meaning.

    Attributes:
        blocks: Bytes of each one's blocks.
        codes_at, rows_at: Where these and the row numbers begin.
        end: Of the last list.
    """

    blocks: NDArray[np.int64]
    codes_at: NDArray[np.int64]
    rows_at: NDArray[np.int64]
    end: int


def write_blocks(index: Any, path: str) -> None:
    """Write an index over FastScan's lists for `read_blocks`. It must not be searched meanwhile.

    Raises:
        OSError, RuntimeError: The disk refused.
    """
    ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    lists = faiss.downcast_InvertedLists(ivf.invlists)
    sizes = np.fromiter(map(lists.list_size, range(ivf.nlist)), dtype=np.int64, count=ivf.nlist)
    with _emptied(ivf):
        faiss.write_index(index, path)
    with open(path, "ab") as file:
        begin = file.tell()
        layout = _layout(sizes, begin, ivf)
        for number in np.flatnonzero(sizes).tolist():
            _pad(file, layout.codes_at[number])
            file.write(faiss.rev_swig_ptr(lists.get_codes(number), int(layout.blocks[number])).data)
            _pad(file, layout.rows_at[number])
            file.write(faiss.rev_swig_ptr(lists.get_ids(number), int(sizes[number])).data)
        _pad(file, layout.end)
        file.write(sizes.astype(np.uint64).data)
        file.write(_END.pack(begin, ivf.nlist, _MARK))


def read_blocks(path: str) -> Any:
    """The index that `write_blocks` wrote, its lists mapped; one that FAISS wrote itself is read whole.

    Raises:
        OSError, RuntimeError: It can't be read, or is damaged.
    """
    index = faiss.read_index(path)
    ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    with open(path, "rb") as file:
        found = _sizes(file, ivf.nlist)
        end = file.tell()
    if found is None:
        if ivf.invlists.compute_ntotal() != index.ntotal:
            raise OSError("it ends too early")
        return index
    begin, sizes = found
    # Each by itself too: a sum of huge numbers may be anything.
    if sizes.max(initial=0) > index.ntotal or sizes.sum() != index.ntotal or begin > end:
        raise OSError(f"its lists do not hold the {index.ntotal} rows of the index")
    layout = _layout(sizes.astype(np.int64), begin, ivf)
    if layout.end + sizes.nbytes + _END.size != end:
        raise OSError("its lists are not where they should be")
    places = faiss.OnDiskOneListVector()
    for size, codes_at, rows_at in zip(sizes.tolist(), layout.codes_at.tolist(), layout.rows_at.tolist(), strict=True):
        place = faiss.OnDiskOneList()
        if size:
            # FAISS looks for the rows behind as many codes as a list has room for.
            place.size, place.capacity, place.offset = size, (rows_at - codes_at) // ivf.code_size, codes_at
        places.push_back(place)
    lists = faiss.OnDiskInvertedLists(ivf.nlist, ivf.code_size, path)
    lists.lists, lists.read_only, lists.totsize = places, True, end
    never_read_ahead(lists)
    lists.do_mmap()
    ivf.replace_invlists(lists, True)
    lists.this.disown()
    return index


def never_read_ahead(lists: Any) -> None:
    """By itself FAISS starts 32 threads in every search, to read mapped lists ahead: many times slower than not."""
    lists.prefetch_nthread = 0


def _layout(sizes: NDArray[np.int64], begin: int, ivf: Any) -> _Layout:
    """A list's blocks begin at a multiple of 64 bytes, its rows a whole number of codes behind, and at one of 8."""
    packer = ivf.get_CodePacker()
    blocks = -(-sizes // packer.nvec) * packer.block_size
    step = math.lcm(ivf.code_size, _ROW_BYTES)
    until_rows = -(-blocks // step) * step
    room = -(-(until_rows + sizes * _ROW_BYTES) // _ALIGNED) * _ALIGNED
    first = -(-begin // _ALIGNED) * _ALIGNED
    codes_at = first + np.cumsum(room) - room
    return _Layout(blocks, codes_at, codes_at + until_rows, first + int(room.sum()))


@contextmanager
def _emptied(ivf: Any) -> Iterator[None]:
    """The index with empty lists in place of its own."""
    lists, packer = ivf.invlists, ivf.get_CodePacker()
    empty = faiss.BlockInvertedLists(ivf.nlist, packer.nvec, packer.block_size)  # ours: it must live until the end
    ivf.own_invlists = False
    ivf.replace_invlists(empty, False)
    try:
        yield
    finally:
        ivf.replace_invlists(lists, True)


def _sizes(file: BinaryIO, nlist: int) -> tuple[int, NDArray[np.uint64]] | None:
    """Where the lists begin, and the sizes of all; None if there are none. Leaves the file at its end.

    Raises:
        OSError: They are not those of so many lists.
    """
    length = file.seek(0, os.SEEK_END)
    tail = 8 * nlist + _END.size
    file.seek(max(length - tail, 0))
    content = file.read()
    begin, count, mark = _END.unpack(content[-_END.size :])
    if mark != _MARK:
        return None
    if count != nlist or len(content) != tail:
        raise OSError(f"it has {count} lists where the index has {nlist}")
    return begin, np.frombuffer(content, dtype=np.uint64, count=nlist)


def _pad(file: BinaryIO, until: int) -> None:
    file.write(bytes(int(until) - file.tell()))
