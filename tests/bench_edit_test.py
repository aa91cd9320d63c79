"""One face, painted by each contender; who is faster is for people to judge."""

import pytest
import small_editor

from slider_jax import bench_edit, bench_train, model_file


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "m.npz"
    model_file.save_model(path, small_editor.model())
    return bench_edit.Setting(str(path))


@pytest.mark.parametrize("number", [0, -1])
def test_a_round_is_one_face(setting, number):
    contender = bench_edit.CONTENDERS[number]
    tasks = bench_edit.prepare(setting, **contender.options)
    assert [*tasks] == ["round"]
    tasks["round"]()


def test_a_size_alone_is_a_full_model_of_random_weights():
    model = bench_edit.load(bench_edit.Setting("ignored", 64))
    assert (model.system.width, model.system.blocks) == (64, 6)
    assert model.generator["params"]["enter"]["kernel"].dtype == "float32"
    assert "random weights" in bench_edit._words(model)


def rows(**milliseconds):
    times = lambda ms: {"wall": [ms / 1e3], "cpu": [ms / 1e3]}
    rows = {
        name: {"first": 1.0, "round": times(ms)} for name, ms in milliseconds.items()
    }
    return {"model": "a model", "threads": 2, "contenders": rows}


def test_the_table_compares_with_onnxruntime():
    lines = bench_edit.table(rows(ours=20.0, onnxruntime=50.0)).splitlines()
    assert lines[2].split() == ["ours", "20.0", "20.0", "1.0", "0.40"]
    alone = bench_edit.table(rows(ours=20.0))
    assert "pip install 'slider_jax[export]'" in alone


def test_all_take_their_turns(setting, monkeypatch, capsys):
    asked = {}

    def compete(setting, some, turns):
        asked.update(names=[contender.name for contender in some], turns=turns)
        return rows(ours=2.0, onnxruntime=1.0)

    monkeypatch.setattr(bench_train, "compete", compete)
    bench_edit.edit(setting.model, turns=3)
    assert asked["names"][-1] == "onnxruntime" and asked["turns"] == 3
    assert "32 px, width 4, 1 blocks" in capsys.readouterr().out


def test_an_odd_size_is_refused():
    with pytest.raises(ValueError, match="choose from"):
        bench_edit.edit(size=30)
