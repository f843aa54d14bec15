import errno
from pathlib import Path

import pytest

from vecinity.indexer.errors import StorageError
from vecinity.indexer.files import writing


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOENT, "a folder above it does not exist: make it"),
        (errno.EBUSY, "it is a mount point or in use: choose a folder inside it"),
        (errno.ENOSPC, "the disk is full: make room and run it again"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_refusal_says_what_to_do(number: int, advice: str) -> None:
    with pytest.raises(StorageError) as caught, writing(Path("models/m")):
        raise OSError(number, {errno.EIO: "Input/output error"}.get(number, "?"))
    assert str(caught.value) == f"can't write models/m: {advice}; what was there before is as it was"


def test_a_folder_above_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="a folder above it does not exist"), writing(tmp_path / "none" / "m"):
        (tmp_path / "none" / "m").write_text("")


def test_a_short_write_without_a_number_is_a_full_disk() -> None:
    with pytest.raises(StorageError, match="the disk is full"), writing(Path("m")):
        raise OSError("16 requested and 8 written")
