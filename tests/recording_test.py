"""Expressions go to files and come back, and foreign tables are read as they are."""

import numpy as np
import pytest

from slider_jax import recording
from slider_jax.face.sliders import SLIDERS
from slider_jax.recording import Recording

TURNS = [
    f"{part}{turn}"
    for part in ("Head", "LeftEye", "RightEye")
    for turn in ("Yaw", "Pitch", "Roll")
]
ARKIT = [name[0].upper() + name[1:] for name in SLIDERS]
HEADER = ["Timecode", "BlendshapeCount", *ARKIT, *TURNS]


def live_link(rows):
    """A table like Live Link Face's; `rows` are (timecode, count, value of all)."""
    lines = [",".join(HEADER)]
    for time, count, value in rows:
        lines.append(",".join([time, str(count), *[str(value)] * 61]))
    return "\n".join(lines) + "\n"


def full(value):
    return {name: value for name in SLIDERS}


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_what_is_written_is_read_back(suffix, tmp_path):
    rng = np.random.default_rng(0)
    for count in (1, 3):
        requests = tuple(
            dict(zip(SLIDERS, rng.uniform(0, 1, 52).round(6).tolist(), strict=True))
            for _ in range(count)
        )
        for times in (None, tuple(np.arange(count) / 8)):
            before = Recording(requests, times, "0123456789ab")
            recording.write(tmp_path / f"x{suffix}", before)
            assert recording.read(tmp_path / f"x{suffix}") == before
            assert "0123456789ab" in (tmp_path / f"x{suffix}").read_text()


def test_names_and_values_alone_are_an_expression():
    assert recording.from_json('{"jawOpen": 0.5}').requests == ({"jawOpen": 0.5},)


@pytest.mark.parametrize(
    "text, words",
    [
        (live_link([("00:00:01:00", 0, 0)] * 2), "no row has a tracked face"),
        ("time,jawOpen\n0,1\n1e12,1\n", "times go beyond 6 hours"),
        ("Timecode,jawOpen\n0:0:0:0,1\n0:0:0:inf,1\n", "times go beyond 6 hours"),
        ("Timecode,jawOpen\n\n0:0:0:0,1\n0:0:x:1,1\n", "row 4: the timecode '0:0:x:1'"),
        ("time,jawOpen\n0,1\n\n1,one\n", "row 4, column jawOpen: 'one' is no number"),
    ],
)
def test_a_wrong_table_names_the_line_and_the_cell(text, words):
    with pytest.raises(ValueError, match=words):
        recording.from_csv(text)


def test_no_time_is_infinite():
    frames = ['{"sliders": {}, "time": ' + time + "}" for time in ("0", "Infinity")]
    text = '{"frames": [' + ", ".join(frames) + "]}"
    with pytest.raises(ValueError, match="times go beyond"):
        recording.from_json(text)


def test_live_link_tables_are_read_with_a_count_of_what_was_left_out():
    text = live_link(
        [
            ("00:01:02:10.250", 61, 0.25),
            ("00:01:02:40", 61, 1.25),
            ("00:01:03:10", 0, 0),
        ]
    )
    read = recording.from_csv(text)
    assert read.requests[0] == full(0.25) and len(read.requests) == 2
    assert read.requests[1]["jawOpen"] == 1.0
    assert read.requests[1]["browInnerUp"] == 1.25  # its range goes further
    assert read.times[1] - read.times[0] == pytest.approx(29.75 / 60)
    assert any("9 columns" in note for note in read.notes)
    assert any("1 rows without" in note for note in read.notes)
    assert any("beyond" in note for note in read.notes)


def test_a_byte_order_mark_is_no_name(tmp_path):
    (tmp_path / "x.csv").write_text(live_link([("0:0:0:0", 61, 0.5)]), "utf-8-sig")
    assert recording.read(tmp_path / "x.csv").requests == (full(0.5),)


def test_visemes_with_times_become_keys_that_cross_over():
    read = recording.from_csv("time,viseme,intensity\n0,sil,\n0.5,aa,0.8\n1,PP,\n")
    assert read.requests[1] == {"viseme_aa": 0.8}
    frames = recording.resample(read, 4)
    assert len(frames) == 5
    assert frames[1] == {"viseme_sil": 0.5, "viseme_aa": 0.4, "viseme_PP": 0.0}
    assert frames[4] == {"viseme_sil": 0.0, "viseme_aa": 0.0, "viseme_PP": 1.0}


def test_without_times_frames_stay_as_they_are():
    read = recording.from_csv("jawOpen,mouthSmile\n0.5,0.1\n,0.2\n")
    assert recording.resample(read, 25) == [
        {"jawOpen": 0.5, "mouthSmileLeft": 0.1, "mouthSmileRight": 0.1},
        {"mouthSmileLeft": 0.2, "mouthSmileRight": 0.2},
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jawOpn\n0.5\n", "nearest are jawOpen"),
        ("jawOpen\n", "row of values"),
        ("time\n0.5\n", "no column"),
        ("jawOpen\nwide\n", "row 2, column jawOpen: 'wide'"),
        ("jawOpen\nnan\n", "is no number"),
        ("time,jawOpen\n1,0\n0,0\n", "backwards"),
        ("Timecode,jawOpen\nnoon,0\n", "timecode 'noon'"),
        ("time,viseme\n0,xx\n", "viseme"),
    ],
)
def test_tables_that_cannot_be_are_one_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        recording.from_csv(text)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"frames": 3}', '{"sliders": 3}', '{"jawOpen": "x"}']
)
def test_json_that_is_no_expression_is_one_sentence(text):
    with pytest.raises(ValueError):
        recording.from_json(text)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        recording.read(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="is no text"):
        recording.read(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("jawOpn\n1\n")
    with pytest.raises(ValueError, match="x.csv: .*jawOpen"):
        recording.read(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="neither"):
        recording.write(tmp_path / "x.txt", Recording(()))
