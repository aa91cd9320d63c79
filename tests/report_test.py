"""What a run leaves to look at."""

import json

import numpy as np
import pytest
from PIL import Image
from tensorboardX import record_writer

from slider_jax import prepare, report
from slider_jax.batch import Batch


def write(workdir, steps, start=0):
    with report.writer(workdir, start=start, lead=True) as writer:
        for step in steps:
            writer.scalars(step, {"loss": step / 10})


def steps(workdir):
    text = (workdir / "metrics.jsonl").read_text()
    return [json.loads(line)["step"] for line in text.splitlines()]


def test_scalars_go_to_json_lines_and_tensorboard(tmp_path):
    write(tmp_path, [1, 2])
    line = (tmp_path / "metrics.jsonl").read_text().splitlines()[1]
    assert json.loads(line) == {"step": 2, "loss": 0.2}
    (events,) = (tmp_path / "board").iterdir()
    assert b"loss" in events.read_bytes()


def test_a_full_disk_is_an_error_and_no_endless_wait(tmp_path, monkeypatch):
    class Full:
        write = close = lambda self, *data: None

        def flush(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_writer, "open_file", lambda path: Full())
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, range(100))


def test_what_came_after_the_checkpoint_is_dropped(tmp_path):
    write(tmp_path, [1, 2, 3, 4])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')  # killed in the middle of a line
    write(tmp_path, [3], start=2)
    assert steps(tmp_path) == [1, 2, 3]


def test_other_processes_write_nothing(tmp_path):
    with report.writer(tmp_path, start=0, lead=False) as writer:
        writer.scalars(1, {"loss": 1.0})
        writer.picture(1, "sheet", Image.new("RGB", (4, 4)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "mean, metric, advice",
    [
        (0.01, dict(mask=0.01, attention=0.5), "lower {}.attention"),
        (0.97, dict(mask=0.97, attention=1.5), "raise {}.attention"),
        (0.01, dict(mask=0.01), "raise {}.colour"),  # a painting phase
        (0.97, dict(mask=0.97), "lower {}.colour"),
    ],
)
def test_a_collapsed_mask_names_the_weight_once(mean, metric, advice):
    guard = report.AttentionGuard(patience=3)
    metrics = {f"generator/{name}": value for name, value in metric.items()}
    said = [guard.check(metrics, phase=1) for _ in range(4)]
    assert said[:2] == [None, None] and said[3] is None
    assert advice.format("--config.phases[1].weights.generator") in said[2]
    assert f"({mean:.1%} on average" in said[2]


def test_a_mask_that_comes_and_goes_is_no_collapse():
    guard = report.AttentionGuard(patience=2)
    for mean in (0.01, 0.5, 0.97, 0.01):
        assert guard.check({"generator/mask": mean}, phase=0) is None
    assert guard.check({"critic/total": 1.0}, phase=0) is None


def test_a_new_phase_is_watched_afresh():
    guard = report.AttentionGuard(patience=2)
    closed = {"generator/mask": 0.0}
    assert [guard.check(closed, phase) for phase in (0, 1)] == [None, None]
    assert "phases[1]" in guard.check(closed, phase=1)


def block(paired):
    image = np.full((1, 64, 64, 3), -1.0, np.float32)
    return dict(
        image=image,
        edit=image + 2,
        target=image + 1,
        mask=np.ones((1, 64, 64, 1), np.float32),
        expression=np.array([[1.0, -1.0]], np.float32),
        paired=np.array([paired]),
    )


def column(sheet, number):
    """The middle of a picture of the only row."""
    x = report.MARGIN + number * (96 + report.GAP)
    top = report.MARGIN + report.TITLE + 18
    return np.asarray(sheet)[top : top + 96, x : x + 96]


def test_a_sheet_shows_face_sliders_edit_mask_and_truth():
    sheet = report.sample_sheet([("Title", block(paired=True))])
    face, bars, edit, mask, truth = (column(sheet, i) for i in range(5))
    assert face.max() == 0 and edit.min() == 255 and mask.min() == 255
    assert np.all(np.abs(truth.astype(int) - 128) <= 1)
    more, less = (Image.new("RGB", (1, 1), c) for c in (report.MORE, report.LESS))
    assert np.array_equal(bars[20, 70], np.asarray(more)[0, 0])  # right, above
    assert np.array_equal(bars[70, 20], np.asarray(less)[0, 0])


def test_without_a_truth_the_stranger_is_shown_under_that_name():
    known, borrowed = (
        np.asarray(report.sample_sheet([("Title", block(paired=paired))]))
        for paired in (True, False)
    )
    differs = np.argwhere((known != borrowed).any(-1))
    names = report.MARGIN + report.TITLE
    assert names <= differs[:, 0].min() and differs[:, 0].max() < names + 18
    assert differs[:, 1].min() > report.MARGIN + 4 * (96 + report.GAP)


CHANGE = np.array([0.1, 0.3, 0.5, 0.2, 0.4])


def telling(worn, wanted, paired=True):
    """Of five faces, the last two of which are one, that change by CHANGE."""
    image = np.array([0.1, 0.2, 0.3, 0.4, 0.4])[:, None, None, None] * np.ones(
        (2, 2, 3)
    )
    shown = image + CHANGE[:, None, None, None]
    batch = Batch(image, worn, shown, wanted, np.full(5, paired))
    return prepare._telling(batch).tolist()


@pytest.mark.parametrize("paired", [True, False])
def test_a_sheet_begins_with_what_changes_most(paired):
    """Of faces that go from neutral; the same face again comes later."""
    worn = np.zeros((5, 2))
    worn[2] = 1
    wanted = np.where(worn, 0, 0.5 if paired else CHANGE[:, None])
    assert telling(worn, wanted, paired) == [4, 1, 0, 2, 3]


def test_a_sheet_of_classes_begins_with_what_changes_most():
    classes = np.eye(7)
    assert telling(classes[:5], classes[1:6]) == [2, 4, 1, 0, 3]
