"""FastScan's codes as they lie in the index file: processes share them, and to open an index reads none of them.

FAISS maps plain lists only (`faiss.IO_FLAG_MMAP`). But all that a search asks of inverted lists is where the codes and
the row numbers of one begin, and FAISS's `OnDiskInvertedLists` can say so of blocks too, if they lie in its order. So
an index is written as if its lists were empty, and after it come

    each list     blocks of codes, at a multiple of 64 bytes, as FastScan asks; then its rows, int64
    the sizes     rows of each list, uint64 (nlist,)
    the end       where the first list begins, nlist, and a mark: uint64 each, little-endian

docs/adr/0011 has the measurements.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import faiss
import numpy as np
from numpy.typing import NDArray

_ALIGNED = 64
_END = struct.Struct("<QQ8s")
_MARK = b"vcblocks"
_ROW_BYTES = 8


def write_blocks(index: Any, path: str) -> None:
    """Write an index over FastScan's lists, for `read_blocks`.

    Raises:
        OSError, RuntimeError: The disk refused.
    """
    ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    lists = faiss.downcast_InvertedLists(ivf.invlists)
    with _emptied(ivf, lists):
        faiss.write_index(index, path)
    sizes = np.fromiter(map(lists.list_size, range(ivf.nlist)), dtype="<u8", count=ivf.nlist)
    blocks = -(-sizes // lists.n_per_block) * lists.block_size
    with open(path, "ab") as file:
        _pad(file, _ALIGNED)
        begin = file.tell()
        for number in np.flatnonzero(sizes).tolist():
            _pad(file, _ALIGNED)
            rows_at = file.tell() + _capacity(int(blocks[number]), ivf.code_size) * ivf.code_size
            file.write(faiss.rev_swig_ptr(lists.get_codes(number), int(blocks[number])).data)
            file.write(bytes(rows_at - file.tell()))
            file.write(faiss.rev_swig_ptr(lists.get_ids(number), int(sizes[number])).astype("<i8", copy=False).data)
        file.write(sizes.data)
        file.write(_END.pack(begin, ivf.nlist, _MARK))


def read_blocks(path: str) -> Any:
    """The index that `write_blocks` wrote, its lists mapped; one that FAISS wrote itself is read whole.

    Raises:
        OSError, RuntimeError: It can't be read, or is damaged.
    """
    index = faiss.read_index(path)
    ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    empty = faiss.downcast_InvertedLists(ivf.invlists)
    with open(path, "rb") as file:
        if (found := _sizes(file, ivf.nlist)) is None:
            if empty.compute_ntotal() != index.ntotal:
                raise OSError("it ends too early")
            return index
        at, sizes = found
        end = file.seek(0, os.SEEK_END)
    places = faiss.OnDiskOneListVector()
    for size in sizes.tolist():
        place = faiss.OnDiskOneList()
        if size:
            at += -at % _ALIGNED
            capacity = _capacity(-(-size // empty.n_per_block) * empty.block_size, ivf.code_size)
            place.size, place.capacity, place.offset = size, capacity, at
            at += capacity * ivf.code_size + _ROW_BYTES * size
        places.push_back(place)
    if at + sizes.nbytes + _END.size != end or sizes.sum() != index.ntotal:
        raise OSError("its lists are not where they should be")
    lists = faiss.OnDiskInvertedLists(ivf.nlist, ivf.code_size, path)
    lists.lists, lists.read_only, lists.totsize = places, True, end
    # FAISS would start 32 threads in every search to read lists ahead: many times slower than not.
    lists.prefetch_nthread = 0
    lists.do_mmap()
    lists.this.disown()
    ivf.replace_invlists(lists, True)
    return index


@contextmanager
def _emptied(ivf: Any, lists: Any) -> Iterator[None]:
    """The index with empty lists in place of its own."""
    empty = faiss.BlockInvertedLists(ivf.nlist, lists.n_per_block, lists.block_size)
    ivf.own_invlists = False
    ivf.replace_invlists(empty, False)
    try:
        yield
    finally:
        ivf.replace_invlists(lists, True)


def _capacity(size: int, code_size: int) -> int:
    """Where a list's rows begin, counted in codes from its blocks, which take `size` bytes: FAISS asks that."""
    capacity = -(-size // code_size)
    while capacity * code_size % _ROW_BYTES:
        capacity += 1
    return capacity


def _sizes(file: BinaryIO, nlist: int) -> tuple[int, NDArray[np.uint64]] | None:
    """Where the first list begins, and the sizes of all; None if there are none.

    Raises:
        OSError: There are others than there should be.
    """
    file.seek(-_END.size, os.SEEK_END)
    begin, count, mark = _END.unpack(file.read())
    if mark != _MARK:
        return None
    if count != nlist:
        raise OSError(f"it has {count} lists where the index has {nlist}")
    file.seek(-_END.size - 8 * nlist, os.SEEK_END)
    return begin, np.frombuffer(file.read(8 * nlist), dtype="<u8")


def _pad(file: BinaryIO, multiple: int) -> None:
    file.write(bytes(-file.tell() % multiple))
