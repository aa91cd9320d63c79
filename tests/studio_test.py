"""The studio's endpoints: what they answer, and whom they refuse."""

import gzip
import http.client
import io
import json
import shlex
import threading

import numpy as np
import pytest
import small_studio
from PIL import Image
from small_studio import frames, pixels

pytest.importorskip("starlette", reason="the studio needs slider_jax[studio]")
pytest.importorskip("uvicorn", reason="the studio needs slider_jax[studio]")

from slider_jax import photo  # noqa: E402
from slider_jax.face.sliders import INDEX, SLIDERS  # noqa: E402
from slider_jax.studio import guard, puppet, tabs  # noqa: E402
from slider_jax.studio import story as stories  # noqa: E402


@pytest.fixture(scope="module")
def server():
    server = small_studio.Server(small_studio.studio())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def one():
    return small_studio.faces(1)


@pytest.fixture(scope="module")
def two():
    return small_studio.faces(2)


def told(face=0, *steps, **request):
    return {"face": face, "steps": [*steps, layer(face, **request)]}


def layer(face=0, start=None, **request):
    return {str(face): {"start": start, "request": request}}


def render(server, tab, story, **more):
    body = {"tab": tab, "story": story, "side": 400} | more
    return frames(server.ask("/api/render", body)[2])


def test_a_face_that_is_asked_for_nothing_comes_back_as_it_is(server, one):
    tab = server.tab(one)
    head, (picture,) = render(server, tab, told())
    assert head["changed"] == 0 and head["shown"] == head["measured"]
    assert abs(pixels(picture) - pixels(one)).mean() < 4  # JPEG
    _, _, saved = server.ask("/api/download", {"tab": tab, "story": told()})
    np.testing.assert_array_equal(pixels(saved), pixels(one))


def test_a_slider_stands_where_it_was_put_and_the_others_where_they_were(server, one):
    head, _ = render(server, server.tab(one), told(jawOpen=0.6))
    assert head["shown"] == head["measured"] | {"jawOpen": 0.6}
    assert head["changed"] > 0


def test_a_download_is_the_edit_of_the_command_line_with_its_record(server, one):
    tab, ask = server.tab(one), {"jawOpen": 0.6, "mouthSmileLeft": 0.3}
    body = {"tab": tab, "story": told(**ask), "format": "PNG"}
    _, headers, saved = server.ask("/api/download", body)
    assert headers["content-type"] == "image/png"
    expected = server.studio.editor.edit(one, ask)
    np.testing.assert_array_equal(pixels(saved), expected.photo.pixels)
    record = photo.read_record(saved)
    assert record == json.loads(json.dumps(expected.record))
    body["story"] = told(0, layer(happiness=1.0), **ask)
    record = photo.read_record(server.ask("/api/download", body)[2])
    assert len(record["earlier"]) == 1


def test_a_preview_shows_what_the_download_holds(server, one):
    tab, story = server.tab(one), told(happiness=1.0)
    large = server.ask("/api/download", {"tab": tab, "story": story})[2]
    _, (small,) = render(server, tab, story, side=160)
    width, height = Image.open(io.BytesIO(small)).size
    assert max(width, height) == 160
    shrunk = Image.fromarray(pixels(large).astype(np.uint8)).resize((width, height))
    assert abs(pixels(small) - np.asarray(shrunk).astype(int)).mean() < 6


def test_each_face_keeps_its_own_request(server, two):
    tab = server.tab(two)
    both = {"face": 1, "steps": [layer(0, mouthSmile=1.0) | layer(1, happiness=1.0)]}
    _, (picture,) = render(server, tab, both)
    changed = (abs(pixels(picture) - pixels(two)) > 24).any(-1)
    assert changed[:, :190].any() and changed[:, 210:].any()
    _, (other,) = render(server, tab, both | {"face": 0})
    assert abs(pixels(picture) - pixels(other)).mean() < 1


def test_applied_steps_are_measured_anew(server, one):
    tab, done = server.tab(one), layer(happiness=1.0)
    first, (before,) = render(server, tab, {"face": 0, "steps": [done]})
    second, (after,) = render(server, tab, {"face": 0, "steps": [done, {}]})
    np.testing.assert_array_equal(pixels(before), pixels(after))
    assert second["changed"] == 0 and second["measured"] != first["measured"]


def test_a_vector_to_start_from_and_sliders_on_top(server, one):
    tab = server.tab(one)
    start = np.linspace(-0.5, 0.5, 30).round(6).tolist()
    story = {"face": 0, "steps": [layer(start=start)]}
    head, _ = render(server, tab, story)
    np.testing.assert_allclose(head["vector"], start)
    maps = server.studio.editor.painter.maps
    story = {"face": 0, "steps": [layer(start=start, jawOpen=0.9)]}
    shown = render(server, tab, story)[0]["shown"]
    assert shown["jawOpen"] == 0.9
    assert shown["cheekPuff"] == maps.sliders(np.array(start))[INDEX["cheekPuff"]]


def test_the_command_line_says_the_same(server, one):
    tab, editor = server.tab(one), server.studio.editor
    start = np.linspace(-0.5, 0.5, 30).round(6).tolist()
    steps = [layer(jawOpen=0.5), layer(start=start, mouthPucker=0.4)]
    body = {"tab": tab, "story": {"face": 0, "steps": steps}, "name": "my photo.png"}
    command = server.json("/api/command", body)["command"]
    now, face = photo.open_photo(one), photo.find_faces(photo.open_photo(one))[0]
    for line in command.split(" &&\n"):
        words = shlex.split(line)
        assert words[:2] == ["slider", "edit"] and "small.npz" in words
        pairs = [words[i + 1].split("=") for i, w in enumerate(words) if w == "--set"]
        request = {name: float(value) for name, value in pairs}
        now = editor.edit(now, request, face=face).photo
    assert shlex.split(command)[2] == "my photo.png"
    saved = server.ask("/api/download", body | {"format": "PNG"})[2]
    np.testing.assert_array_equal(pixels(saved), now.pixels)


def test_expressions_blend_by_amount_and_region(server, one):
    tab = server.tab(one)
    measured = render(server, tab, told())[0]["measured_vector"]
    body = {"tab": tab, "story": told(), "wanted": [0.0] * 30}
    half = server.json("/api/blend", body | {"amount": 0.5})["vector"]
    np.testing.assert_allclose(half, np.array(measured) / 2, atol=1e-6)
    brows = server.json("/api/blend", body | {"region": "brows"})["vector"]
    assert 0 < np.linalg.norm(np.subtract(brows, measured)) < np.linalg.norm(measured)


def test_another_photo_lends_its_expression(server, one, two):
    tab = server.tab(one)
    lent = server.json(f"/api/transfer?tab={tab}", two)["vector"]
    faces = server.studio.editor.measure(two)
    assert any(np.allclose(lent, face.expression) for face in faces)
    plain = small_studio.png(Image.new("RGB", (90, 90)))
    status, _, answer = server.ask(f"/api/transfer?tab={tab}&name=b.png", plain)
    said = json.loads(answer)["error"]
    assert status == 400 and said == "b.png (90 x 90 pixels): no face was found."


def test_random_faces_are_requests_and_the_seed_decides(server, one):
    tab = server.tab(one)
    draw = lambda seed: server.json("/api/random", {"tab": tab, "seed": seed})
    assert draw(3) == draw(3) != draw(4)
    assert render(server, tab, told(**draw(3)["request"]))[0]["changed"] > 0


def test_thumbs_strips_and_films_are_pictures(server, one):
    tab = server.tab(one)
    body = {"tab": tab, "story": told(jawOpen=0.5)}
    _, ends = frames(server.ask("/api/thumbs", body | {"component": "c2"})[2])
    assert [pixels(end).shape for end in ends] == [(96, 96, 3)] * 2
    assert abs(pixels(ends[0]) - pixels(ends[1])).max() > 10
    body |= {"name": "mouthPucker", "steps": 5}
    _, _, strip = server.ask("/api/strip", body)
    assert pixels(strip).shape == (32, 160, 3)
    assert photo.read_record(strip)["strip"]["slider"] == "mouthPucker"
    film = Image.open(io.BytesIO(server.ask("/api/gif", body)[2]))
    assert film.n_frames > 10 and film.info["loop"] == 0
    assert json.loads(film.info["comment"])["model"] == server.studio.editor.model.id


def test_a_page_gets_all_that_it_must_know_of_a_face(server, one):
    tab = server.tab(one)
    body = {"tab": tab, "story": told()}
    about, (crop,) = frames(server.ask("/api/face", body)[2])
    session = server.studio.editor.open(one)
    assert crop == session.crop.tobytes() and about["flipped"] == session.flipped
    np.testing.assert_array_equal(about["frame"], session.frame)
    assert about["looks"]["measured"]["sliders"] == session.measured.sliders
    happy = session.edit({"happiness": 1.0})
    assert about["looks"]["happiness"]["vector"] == happy.requested.tolist()
    assert server.ask("/browser")[0] == server.ask("/model.onnx")[0] == 404


def test_the_mask_is_sent_when_it_is_asked_for(server, one):
    head, files = render(server, server.tab(one), told(happiness=1.0), mask=True)
    mask = np.asarray(Image.open(io.BytesIO(files[1])))[..., 3]
    assert np.isclose(head["changed"], (mask > 0).mean(), atol=0.2) and mask.any()


def test_two_tabs_do_not_mix(server, one, two):
    tabs = [server.tab(one), server.tab(two)]
    pictures = [render(server, tab, told())[1][0] for tab in tabs]
    for picture, sent in zip(pictures, (one, two), strict=True):
        assert abs(pixels(picture) - pixels(sent)).mean() < 4


def test_old_positions_of_a_slider_are_dropped(server, one):
    tab = server.tab(one)
    render(server, tab, told(), seq=1)
    answers = {}

    def move(number):
        body = {"tab": tab, "story": told(jawOpen=number / 10), "seq": number}
        answers[number] = server.ask("/api/render", body | {"side": 400})[0]

    hands = [threading.Thread(target=move, args=(n,)) for n in range(2, 8)]
    with server.studio.lock:  # the model is busy
        for hand in hands:
            hand.start()
        while server.studio.tabs.get(tab).newest < 7:
            pass
    for hand in hands:
        hand.join()
    assert answers == {n: 409 for n in range(2, 7)} | {7: 200}


@pytest.mark.parametrize(
    "story, sentence",
    [
        (told(jawOpne=0.5), "jawOpen"),
        (told(jawOpen=7), "0 to 1"),
        (told(5), "There is no face 5"),
        ({"face": 0, "steps": [{"0": {"start": [0.0] * 7}}]}, "a list of 30"),
        ({"face": 0, "steps": [{"0": {"start": [float("nan")] * 30}}]}, "list of 30"),
        ({"face": 0, "steps": [3]}, "A step is"),
        ({"face": 0, "steps": [{}] * 99}, "up to 32 steps"),
        ([], "A story is"),
    ],
)
def test_a_story_that_cannot_be_is_a_sentence(server, one, story, sentence):
    body = {"tab": server.tab(one), "story": story}
    status, _, answer = server.ask("/api/render", body)
    assert status == 400 and sentence in json.loads(answer)["error"]


def test_files_that_are_no_photos_are_a_sentence(server):
    tab = server.json("/api/tab", {})["tab"]
    status, _, answer = server.ask(f"/api/photo?tab={tab}&name=a.txt", b"hello")
    assert status == 400 and "a.txt" in json.loads(answer)["error"]
    plain = small_studio.png(Image.new("RGB", (90, 90)))
    status, _, answer = server.ask(f"/api/photo?tab={tab}&name=b.png", plain)
    assert status == 422 and "draw a box" in json.loads(answer)["error"]
    status, _, answer = server.ask("/api/render", {"tab": tab, "story": told()})
    assert status == 400 and "Send a photo" in json.loads(answer)["error"]


@pytest.mark.parametrize(
    "path, ask, sentence",
    [
        ("render", {"seq": "one"}, "seq is 'one'"),
        ("render", {"side": -3}, "side is -3"),
        ("blend", {"wanted": 3}, "wanted"),
        ("blend", {"wanted": {}, "amount": 2}, "amount is 2"),
        ("blend", {"wanted": {}, "region": "knee"}, "no region 'knee'"),
        ("strip", {"name": "jawOpne"}, "jawOpen"),
        ("strip", {"name": "jawOpen", "steps": 1e9}, "steps"),
        ("thumbs", {"component": "jawOpen"}, "component_1"),
        ("random", {"seed": None}, "seed is None"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(server, one, path, ask, sentence):
    body = {"tab": server.tab(one), "story": told()} | ask
    status, _, answer = server.ask(f"/api/{path}", body)
    assert status == 400 and sentence in json.loads(answer)["error"]


def test_what_is_no_json_is_a_sentence(server):
    for body in (b"{", b"[]", b"\xff", b"[" * 100_000):
        status, _, answer = server.ask("/api/render", body)
        assert status == 400 and "no JSON" in json.loads(answer)["error"]


def test_a_box_says_where_the_face_is(server, two):
    tab = server.json("/api/tab", {})["tab"]
    path = f"/api/photo?tab={tab}&name=a.png&box=0.5,0.1,0.5,0.8"
    (face,) = server.json(path, two)["faces"]
    assert face["box"][0] > 200


def raw(server, method, path, body=None, **headers):
    host = server.address.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Host": host} | headers).items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_other_names_and_other_pages_are_refused(server):
    host = server.address.removeprefix("http://")
    port = host.split(":")[1]
    get = lambda **headers: raw(server, "GET", "/", **headers)
    assert get() == get(Host=f"localhost:{port}") == get(Host=f"[::1]:{port}") == 200
    for name in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::"):
        assert get(Host=name) == 403
    assert get(Origin=server.address) == 200
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        assert get(Origin=origin) == 403
    assert get(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") == 403


def test_what_is_too_large_is_refused(server, monkeypatch):
    tab = server.json("/api/tab", {})["tab"]
    path = f"/api/photo?tab={tab}"
    size = str(guard.MOST_BYTES + 1)
    assert raw(server, "POST", path, Content_Length=size) == 413
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    chunked = b"7d1\r\n" + b"x" * 2001 + b"\r\n0\r\n\r\n"
    assert raw(server, "POST", path, chunked, Transfer_Encoding="chunked") == 413


def test_the_page_asks_nobody_else(server):
    _, headers, page = server.ask("/")
    assert "default-src 'self'" in headers["content-security-policy"]
    assert b"http://" not in page and b"https://" not in page
    names = ("app.js", "api.js", "sliders.js", "head.js", "stage.js", "style.css")
    for name in (*names, "browser.js", "network.js", "paste.js"):
        status, _, content = server.ask(f"/{name}")
        assert status == 200 and b"https://" not in content
    assert server.ask("/../answers.py")[0] == 404


def test_a_tab_expires_and_the_oldest_go_first(one):
    now = 0.0
    all_tabs = tabs.Tabs(clock=lambda: now)
    names = [all_tabs.new() for _ in range(2)]
    now = tabs.EXPIRE - 1
    all_tabs.get(names[1])
    now = tabs.EXPIRE + 1
    with pytest.raises(tabs.GoneError):
        all_tabs.get(names[0])
    all_tabs.get(names[1])
    for _ in range(tabs.MOST_TABS):
        now += 1
        all_tabs.new()
    assert len(all_tabs) == tabs.MOST_TABS
    with pytest.raises(tabs.GoneError):
        all_tabs.get(names[1])


def test_a_tab_that_is_gone_says_so(server):
    assert server.ask("/api/render", {"tab": "no"})[0] == 410
    assert server.ask("/api/render", {"tab": ["no"]})[0] == 410


def test_the_head_for_the_page_is_the_head(server):
    whole = gzip.decompress(puppet.mesh())
    size = int.from_bytes(whole[:4], "little")
    about = json.loads(whole[4 : 4 + size])
    shapes = about["shapes"]
    assert size % 4 == 0 and tuple(about["sliders"]) == SLIDERS
    count = lambda name: int(np.prod(shapes[name]))
    bytes_of = sum(2 * count(n) for n in ("mean", "units", "triangles", "uv"))
    assert len(whole) == 4 + size + bytes_of + count("sky")
    units = np.frombuffer(whole, "<i2", count("units"), 4 + size + 2 * count("mean"))
    moved = abs(units.reshape(shapes["units"])[INDEX["jawOpen"]]).max()
    head = puppet.load_head()
    true = abs(np.asarray(head.face.units)[INDEX["jawOpen"]]).max()
    assert np.isclose(moved / about["fine"], true, atol=0.01)
    _, headers, _ = server.ask("/api/head")
    assert headers["content-encoding"] == "gzip"


def test_a_story_names_the_photo_that_it_paints_on():
    parse = lambda plain: stories.parse(plain, 30, 2)
    same = parse(told(0, jawOpen=0.1)).base
    assert parse(told(0, jawOpen=0.9)).base == same
    assert parse({"face": 1, "steps": [layer(0, jawOpen=0.9)]}).base != same
    assert parse(told(0, layer(0, jawOpen=0.2))).base != same
