import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from topics import environment_of_a_child

from vecinity.indexer.errors import NotFoundError
from vecinity.indexer.word2vec import Word2VecModel
from vecinity.indexer.word2vec.leftovers import new_folder

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from vecinity.indexer.word2vec import Word2VecModel, model

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "publish":
    model.publish_folder = die
elif sys.argv[1] == "delete":
    model.shutil.rmtree = lambda *_, **__: die()
else:
    Path.write_bytes = die  # After the tensors.
new = Word2VecModel(["c", "d"], np.ones((2, 4), dtype=np.float32), outputs=np.ones((2, 4), dtype=np.float32))
new.save(Path(sys.argv[2]), overwrite=True)
"""


def model_of(*words: str) -> Word2VecModel:
    return Word2VecModel(list(words), np.ones((len(words), 4), dtype=np.float32))


def killed(directory: Path, when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, when, str(directory)], env=environment_of_a_child(), timeout=60
    )
    assert done.returncode == -9


@pytest.mark.parametrize("when", ["write", "publish", "delete"])
def test_what_a_kill_left_is_swept_by_the_next_save(tmp_path: Path, when: str) -> None:
    model_of("a", "b").save(tmp_path / "m")
    killed(tmp_path / "m", when)
    left = [path.suffix for path in tmp_path.glob(".m-*")]
    assert sorted(left) == {"write": [""], "publish": ["", ".old"], "delete": [".old"]}[when]
    model_of("e", "f").save(tmp_path / "m", overwrite=True)
    assert os.listdir(tmp_path) == ["m"]
    assert Word2VecModel.load(tmp_path / "m").words == ["e", "f"]


def test_saving_the_same_model_again_sweeps_too(tmp_path: Path) -> None:
    model_of("a", "b").save(tmp_path / "m")
    (tmp_path / ".m-0123abcd.old").mkdir()
    (tmp_path / ".m-0123abcd.old" / "words.txt").write_text("x")
    model_of("a", "b").save(tmp_path / "m")
    assert os.listdir(tmp_path) == ["m"]


def test_after_a_kill_between_two_renames_load_says_where_the_old_model_is(tmp_path: Path) -> None:
    model_of("a", "b").save(tmp_path / "m")
    killed(tmp_path / "m", "publish")
    (old,) = tmp_path.glob(".m-*.old")
    with pytest.raises(NotFoundError) as caught:
        Word2VecModel.load(tmp_path / "m")
    assert f"left the one before in {old}: rename it" in str(caught.value)
    old.rename(tmp_path / "m")
    assert Word2VecModel.load(tmp_path / "m").words == ["a", "b"]


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    model_of("a", "b").save(tmp_path / "m")
    mine = {
        ".m-precious": "words.txt",
        ".m-0123abcd": "mine.txt",
        ".m-2-0123abcd": "words.txt",
        "m-0123abcd": "words.txt",
    }
    for folder, file in mine.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("x")
    (tmp_path / ".m-precious" / "mine.txt").write_text("x")
    (tmp_path / ".m-abcdefgh").symlink_to(tmp_path / "m-0123abcd")
    model_of("c", "d").save(tmp_path / "m", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == sorted(["m", ".m-abcdefgh", *mine])
    assert (tmp_path / "m-0123abcd" / "words.txt").exists()


def test_a_save_that_is_alive_is_left_alone(tmp_path: Path) -> None:
    with new_folder(tmp_path / "m") as busy:
        (busy / "words.txt").write_text("x")
        model_of("a", "b").save(tmp_path / "m")
        assert (busy / "words.txt").exists()
    model_of("c", "d").save(tmp_path / "m", overwrite=True)
    assert os.listdir(tmp_path) == ["m"]
