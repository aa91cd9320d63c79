"""What a step sees is a function of (seed, step): the tests try to tell otherwise."""

import itertools
import json
import shutil

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from open_faces_test import RECIPE, SIZE, rows

from slider_jax import batch as batches
from slider_jax import data, open_faces

COMMON = dict(batch_size=4, n_critic=2, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    assert open_faces.generate(folder, RECIPE, rows)
    return folder


def take(n, folder, split="train_paired", **options):
    return list(itertools.islice(data.stream(folder, split, **COMMON | options), n))


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def examples(steps):
    """The examples of some steps, one by one."""
    for step in steps:
        for where in np.ndindex(step.paired.shape):
            yield jax.tree.map(lambda x, where=where: x[where], step)


def truth(folder, split):
    """Decoded image by expression, for the rows of a split."""
    faces = data.open_split(folder, split)
    table = faces.columns(("expression", "session", "identity", "take"))
    return {
        (table["expression"][i].tobytes(), faces.picture(i).tobytes()): (
            table["identity"][i],
            table["session"][i],
            table["take"][i],
        )
        for i in range(len(faces))
    }


def key(expression, image):
    return expression.tobytes(), batches.to_bytes(image).tobytes()


def test_bytes_survive_the_way_to_floats_and_back():
    image = np.arange(256, dtype=np.uint8)
    floats = batches.to_float(image)
    assert (floats.min(), floats.max(), floats.dtype) == (-1, 1, np.float32)
    np.testing.assert_array_equal(batches.to_bytes(floats), image)
    np.testing.assert_array_equal(batches.to_bytes(floats * 2)[[0, 255]], [0, 255])
    on_device = batches.to_float(jax.numpy.asarray(image))
    np.testing.assert_array_equal(batches.to_bytes(on_device), image)


@pytest.mark.parametrize("split", ["train_paired", "train_unpaired"])
@pytest.mark.parametrize("speech, k", [(False, 30), (True, 40)])
def test_the_example_has_the_streams_shapes(folder, split, speech, k):
    (step,) = take(1, folder, split, speech=speech)
    assert step.image.shape == (2, 4, SIZE, SIZE, 3)
    assert step.target_expression.shape == (2, 4, k)
    example = data.example(folder, batch_size=4, speech=speech)
    kind = lambda tree: jax.tree.map(lambda x: (x.shape[-4:], x.dtype), tree)
    assert kind(example) == kind(jax.tree.map(lambda x: x[0], step))


def test_a_pair_is_a_neutral_and_another_face_of_one_session(folder):
    known = truth(folder, "train_paired")
    steps = take(9, folder)  # two epochs: 36 pairs, 8 a step
    seen, forwards = [], []
    for pair in examples(steps):
        source = known[key(pair.expression, pair.image)]
        target = known[key(pair.target_expression, pair.target)]
        assert pair.paired and source[:2] == target[:2]
        assert (source[2] == 0) != (target[2] == 0)
        forwards.append(source[2] == 0)
        seen.append(max(source, target))
    assert len(set(seen[:36])) == len(set(seen[36:])) == 36  # each once an epoch
    assert seen[:36] != seen[36:]  # in a new order
    assert 0.3 < np.mean(forwards) < 0.7


def test_any_pair_is_two_different_faces_of_one_session(folder):
    known = truth(folder, "train_paired")
    takes = set()
    for pair in examples(take(24, folder, pairs="any")):
        source = known[key(pair.expression, pair.image)]
        target = known[key(pair.target_expression, pair.target)]
        assert source[:2] == target[:2] and source != target
        takes.add((int(source[2]), int(target[2])))
    assert takes == set(itertools.permutations(range(4), 2))


@pytest.mark.parametrize("speech", [False, True])
def test_an_unpaired_target_is_a_random_face_of_the_same_split(folder, speech):
    """Faces that speak are left out unless the vectors hold their speech."""
    table = data.open_split(folder, "train_unpaired").columns(("expression", "speech"))
    speaks = table["speech"].any(1)
    assert speaks.any()
    vectors = np.concatenate([*table.values()], 1) if speech else table["expression"]
    known = {vector.tobytes() for vector in vectors[speech | ~speaks]}
    faces = list(examples(take(12, folder, "train_unpaired", speech=speech)))
    assert not any(face.paired for face in faces)
    assert {face.expression.tobytes() for face in faces} == known
    assert {face.target_expression.tobytes() for face in faces} == known


def test_a_stranger_can_be_seen_and_nothing_else_changes(folder):
    known = truth(folder, "train_unpaired")
    shown = take(3, folder, "train_unpaired", shown=True)
    for face in examples(shown):
        assert key(face.target_expression, face.target) in known and not face.paired
    plain = take(3, folder, "train_unpaired")
    assert_same([face.replace(target=face.image) for face in shown], plain)


def test_noise_moves_targets_by_no_more_than_asked(folder):
    (plain,) = take(1, folder, "train_unpaired")
    (noisy,) = take(1, folder, "train_unpaired", noise=0.1)
    assert_same(plain.expression, noisy.expression)
    moved = np.abs(noisy.target_expression - plain.target_expression)
    assert 0.05 < moved.max() < 0.1


def test_a_flip_turns_both_pictures_and_both_vectors(folder):
    """With speech, each matrix acts on its own part."""
    mirrors = np.roll(np.eye(30), 1, axis=0), -np.eye(10)
    options = dict(speech=True)
    plain = list(examples(take(4, folder, **options)))
    turned = list(examples(take(4, folder, mirror=mirrors, **options)))
    flips = 0
    for a, b in zip(plain, turned, strict=True):
        if np.array_equal(a.image, b.image):
            assert_same(a, b)
            continue
        flips += 1
        assert_same(a.image[:, ::-1], b.image)
        assert_same(a.target[:, ::-1], b.target)
        for p, q in (
            (a.expression, b.expression),
            (a.target_expression, b.target_expression),
        ):
            expected = np.append(mirrors[0] @ p[:30], -p[30:])
            np.testing.assert_allclose(q, expected, atol=1e-6)
    assert 8 < flips < 24


@pytest.mark.parametrize("split", ["train_paired", "train_unpaired"])
def test_photographs_are_the_same_however_they_are_loaded(folder, split):
    options = dict(photographic=0.8)
    expected = take(3, folder, split, **options)
    assert_same(expected[1:], take(2, folder, split, start=1, **options))
    assert_same(expected, take(3, folder, split, threads=3, **options))
    assert_same(expected, take(3, folder, split, cache=True, **options))
    halves = [take(1, folder, split, process=(i, 2), **options)[0] for i in range(2)]
    whole = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *halves)
    assert_same(expected[0], whole)


def test_a_pair_is_one_photograph_and_examples_are_many(folder):
    """Of pictures that are all the same."""
    same = np.repeat(np.full((1, SIZE, SIZE, 3), 128, np.uint8), 100, axis=0)
    rounds = data.Rounds(
        images=same,
        parameters=np.zeros((100, 1)),
        choose=lambda order, luck, coin: (order, order + 1),
        paired=True,
        shown=False,
        shape=(2, 4),
        mine=slice(0, 4),
        seed=0,
        noise=0.0,
        mirror=None,
        photographic=1.0,
    )
    steps = [rounds(step, np.arange(8)) for step in range(2)]
    images = np.concatenate([step["image"].reshape(8, -1) for step in steps])
    assert_same([s["image"] for s in steps], [s["target"] for s in steps])
    assert len(np.unique(images, axis=0)) == 16
    assert (same == 128).all()


def test_starting_at_step_two_skips_two(folder):
    assert_same(take(4, folder)[2:], take(2, folder, start=2))


def test_a_restored_iterator_goes_on_where_it_was(folder):
    stream = data.stream(folder, "train_paired", **COMMON)
    next(stream), next(stream)
    state = json.loads(json.dumps(stream.get_state()))
    expected = [next(stream), next(stream)]
    other = data.stream(folder, "train_paired", **COMMON)
    other.set_state(state)
    assert_same(expected, [next(other), next(other)])


def test_another_seed_is_another_order(folder):
    """Of the faces, and of their targets."""
    (a,), (b,) = (take(1, folder, "train_unpaired", seed=seed) for seed in (0, 1))
    assert not np.array_equal(a.expression, b.expression)
    assert not np.array_equal(a.target_expression, b.target_expression)


@pytest.mark.parametrize("split", ["train_paired", "train_unpaired"])
def test_threads_and_a_cache_change_nothing(folder, split):
    expected = take(3, folder, split)
    assert_same(expected, take(3, folder, split, threads=3))
    assert_same(expected, take(3, folder, split, cache=True))


@pytest.mark.filterwarnings("ignore:resource_tracker")
def test_workers_change_nothing(folder):
    assert_same(take(3, folder, start=1), take(3, folder, start=1, workers=2))


def test_two_hosts_share_the_batch_of_one(folder):
    noise = dict(noise=0.1)
    (whole,) = take(1, folder, "train_unpaired", **noise)
    halves = [
        take(1, folder, "train_unpaired", process=(i, 2), **noise)[0] for i in range(2)
    ]
    assert_same(whole, jax.tree.map(lambda *x: np.concatenate(x, axis=1), *halves))


def refuses(match, folder, split="train_paired", **options):
    with pytest.raises((ValueError, FileNotFoundError), match=match) as error:
        take(1, folder, split, **options)
    assert str(error.value).count("\n") == 0


def test_a_missing_or_empty_folder_says_how_to_make_one(tmp_path):
    refuses("render_faces.py --out", tmp_path / "nowhere")
    refuses("render_faces.py --out", tmp_path)
    with pytest.raises(FileNotFoundError, match="render_faces.py --out"):
        data.example(tmp_path, batch_size=1)


def test_an_unfinished_set_says_so(tmp_path):
    open_faces.generate(tmp_path, RECIPE, rows, worker=(0, 2))
    refuses("not finished", tmp_path)


def test_a_foreign_set_says_what_it_lacks(tmp_path):
    info = tfds.core.dataset_info.DatasetInfo(
        builder=tfds.core.dataset_info.DatasetIdentity("mnist", "1.0.0", "", ""),
        features=tfds.features.FeaturesDict({"image": tfds.features.Image()}),
    )
    info.set_file_format("array_record")
    info.write_to_directory(tmp_path)
    refuses("holds mnist, not faces: it has no 'expression'", tmp_path)


def test_a_set_of_another_version_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    info = copy / "dataset_info.json"
    info.write_text(info.read_text().replace(open_faces.VERSION, "1.0.0"))
    refuses("a set of version 1.0.0, whose parameters mean something else", copy)


def test_an_unreadable_description_says_so(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "dataset_info.json").write_text("{")
    refuses("dataset_info.json", copy)


def test_wrong_sizes_splits_and_batches_are_refused(folder):
    refuses("faces of 8 pixels, not 128", folder, size=128)
    refuses("no 'validation'; choose from", folder, "validation")
    refuses("batch of 4 does not split over 3 hosts", folder, process=(0, 3))
    refuses("threads instead", folder, cache=True, workers=2)


def test_a_file_cut_short_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    victim = next(copy.glob("*train_paired*-00001-*"))
    victim.write_bytes(victim.read_bytes()[:-100])
    refuses(f"{victim.name} is damaged", copy)


@pytest.mark.parametrize("broken", ["cut", "size"])
def test_a_broken_picture_is_named_with_its_file(tmp_path, broken):
    def bad(split, identity, session):
        for row in rows(split, identity, session):
            image = row["image"][:-60]
            if broken == "size":
                image = open_faces.jpeg(np.zeros((4, 4, 3), np.uint8))
            yield row | dict(image=image) if identity == 2 else row

    open_faces.generate(tmp_path, RECIPE, bad)
    with pytest.raises(ValueError, match="Row 16 of train_paired.*-00001-of-"):
        data.open_split(tmp_path, "train_paired").picture(16)
