"""Protocols of a face at rest: one slider at a time, one parameter, and films."""

import numpy as np

from slider_jax.batch import EXPRESSION, SPEECH, to_bytes
from slider_jax.evaluate import films
from slider_jax.evaluate.contenders import Contender
from slider_jax.evaluate.protocols import Part, Plan, Tick, pixel_measures
from slider_jax.evaluate.testset import TestSet, Wanted, neutrals
from slider_jax.evaluate.weights import Judges
from slider_jax.face.expressions import KINDS
from slider_jax.face.maps import load_maps
from slider_jax.face.sliders import INDEX, SLIDERS
from slider_jax.judges.points import poses
from slider_jax.measures import landmarks, parameters
from slider_jax.measures.people import content_distance, content_distance_to

STEP = 0.5  # of a component, for disentanglement
SLIDE = np.linspace(0, 1, 7)
# Slid alone: (named sliders, what must grow along the slide).
SLIDES = {
    "mouth": (("jawOpen",), landmarks.mouth_opening),
    "eyes": (("eyeBlinkLeft", "eyeBlinkRight"), lambda p: -landmarks.eye_opening(p)),
    "smile": (("mouthSmileLeft", "mouthSmileRight"), None),
}


def slides(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """One slider at a time in equal steps: does the face follow, and evenly?"""
    rows = neutrals(test.paired, plan.slides)
    values = {name: [] for name in ("smoothness", "mouth", "eyes")}
    for row in rows:
        for name, (sliders, grows) in SLIDES.items():
            edits = slide(test, contender, int(row), sliders, SLIDE)
            at = judges.points(to_bytes(edits))
            path = at.reshape(1, len(SLIDE), -1) / landmarks.eye_distance(at[:1])
            values["smoothness"].append(parameters.smoothness(path)[0])
            if grows:
                values[name].append(landmarks.monotonicity(grows(at)[None])[0])
        tick()
    who = test.paired.table["identity"][rows]
    each = np.array(values.pop("smoothness")).reshape(len(rows), -1)
    defined = np.isfinite(each)
    mean = np.where(defined, each, 0).sum(1) / np.where(
        defined.any(1), defined.sum(1), np.nan
    )
    values["smoothness"] = mean
    return dict(people=who, values={k: np.array(v) for k, v in values.items()})


def slide(
    test: TestSet,
    contender: Contender,
    row: int,
    names: tuple[str, ...],
    amounts: np.ndarray,
) -> np.ndarray:
    """A face with some sliders, or a component `component_3`, at each amount."""
    wanted = _asked(names, amounts)
    images = np.repeat(test.paired.images(np.array([row])), len(amounts), axis=0)
    return contender.answer(images, wanted)


def _asked(names, amounts):
    maps = load_maps(EXPRESSION)
    expression = np.zeros((len(amounts), EXPRESSION))
    sliders = np.zeros((len(amounts), len(SLIDERS)))
    for name in names:
        if name in INDEX:
            sliders[:, INDEX[name]] = amounts
        else:
            expression[:, int(name.removeprefix("component_")) - 1] = amounts
    expression = (expression + sliders @ maps.components_of.T).clip(-1, 1)
    if not sliders.any():
        sliders = expression @ maps.sliders_of.T
    silent = np.zeros((len(amounts), SPEECH))
    vectors = (np.float32(x) for x in (expression, silent, sliders))
    return Wanted(*vectors, np.full(len(amounts), KINDS.index("unit"), np.int32))


def speak(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Table 3: frames of test people who speak, from their resting face; one value a
    film. A run without speech is told the same movement by expressions alone."""
    table = test.paired.table
    rows = neutrals(test.paired, plan.slides)
    found: dict[str, list[float]] = {}
    for row in rows:
        who, sitting = (int(table[name][row]) for name in ("identity", "session"))
        film = films.film(test.folder, who, sitting, plan.seed)
        wanted = film.asked if contender.speaks else film.mute
        images = np.repeat(film.rest[None], len(wanted), axis=0)
        edits, truth = contender.answer(images, wanted), wanted.truth
        background = np.ones(images.shape[:3], bool)  # not looked at
        values = dict(pixel_measures(edits, truth, images, background))
        if judges.points:
            seen, true = (judges.points(to_bytes(x)) for x in (edits, truth))
            values["landmarks"] = landmarks.landmark_error(seen, true)
            values["pose"] = parameters.pose_error(poses(true), poses(seen))
        if judges.identity:
            frames = np.asarray(judges.identity(edits))
            photo = np.asarray(judges.identity(film.rest[None]))[0]
            values["acd"] = content_distance(frames)
            values["acd_i"] = content_distance_to(frames, photo)
        for name, value in values.items():
            found.setdefault(name, []).append(np.nanmean(value))
        tick()
    values = {name: np.array(v, np.float64) for name, v in found.items()}
    return dict(people=table["identity"][rows], values=values)


def disentangle(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Each parameter of the run moved alone: what does D read, of all of them?"""
    rows = neutrals(test.paired, plan.slides)
    rest, moved = [], []
    for row in rows:
        image = test.paired.images(np.array([row]))
        count = contender.read(image).shape[1]
        # The first one asks for the face at rest.
        asked = STEP * np.eye(count + 1, count, -1, np.float32)
        read = contender.read(contender.told(image.repeat(count + 1, 0), asked))
        rest.append(read[0])
        moved.append(read[1:])
        tick()
    matrix = parameters.disentanglement(np.stack(rest), np.stack(moved), STEP)
    own = parameters.selectivity(matrix)
    return dict(
        people=np.arange(len(own)), values={"selectivity": own}, matrix=matrix.tolist()
    )
