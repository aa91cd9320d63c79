"""What is written is there whole or not at all, and nothing else is touched."""

import errno
import os

import pytest

from slider_jax import files


def write(path, content="new"):
    with files.whole(path) as scratch:
        scratch.write_text(content)


def test_the_file_of_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "old").write_text("old")
    for name, to in (("link", "old"), ("dangling", "fresh")):
        (tmp_path / name).symlink_to(tmp_path / to)
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / to).read_text() == "new"
    assert len(os.listdir(tmp_path)) == 4


def test_what_is_no_file_is_refused_and_stays(tmp_path):
    """As root a file would take the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(OSError, match=f"{path} is no file: name another."):
            write(path)
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_told_by_the_name_of_the_file(tmp_path, code):
    path = tmp_path / "file"
    path.write_text("old")
    said = f"^{path} cannot be written .{os.strerror(code)}.: check the folder"
    with pytest.raises(OSError, match=said), files.whole(path) as scratch:
        scratch.write_text("ne")
        raise OSError(code, os.strerror(code), str(scratch))
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_a_folder_that_is_missing_is_told_and_other_mistakes_are_not_renamed(tmp_path):
    with pytest.raises(OSError, match=f"{tmp_path}/no/file cannot be written .No such"):
        write(tmp_path / "no" / "file")
    with pytest.raises(FileNotFoundError, match="other"), files.whole(tmp_path / "x"):
        (tmp_path / "other").read_text()
