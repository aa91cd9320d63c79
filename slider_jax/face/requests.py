"""What a person asks a face to do, in names and numbers, as a change of its vector.

A request is a dict. Its names are sliders ("jawOpen"; "mouthSmile" is both sides),
emotions with an intensity ("happiness", "happy"), visemes ("viseme_aa") and components
("component_3", "c3", "speech_2"), counted from 1.

Values are targets ("set"), or are added to what is measured ("add"). In "set", later
kinds win over earlier: an emotion sets the whole face but for the gaze, a viseme sets
mouth and jaw (or the components of speech, where the model has them), a slider sets
itself, and so does a component. What is not named stays as measured.
"""

import difflib
import functools
import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from slider_jax.batch import EXPRESSION
from slider_jax.face.maps import Maps, Vector, tidy
from slider_jax.face.sliders import (
    EMOTIONS,
    INDEX,
    LIMITS,
    REGIONS,
    SLIDERS,
    VISEMES,
    partner,
    vector,
)

Request = Mapping[str, Any]  # numbers, once they are checked
MODES = ("set", "add")
ALIASES = {
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "afraid": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
}
VISEME = "viseme_"
MOUTH = np.isin(SLIDERS, REGIONS["mouth"] + REGIONS["jaw"])
GAZE = np.array([name.startswith("eyeLook") for name in SLIDERS])


def names(parameters: int = EXPRESSION) -> tuple[str, ...]:
    """Every name that a model of so many parameters takes."""
    return (
        *SLIDERS,
        *EMOTIONS,
        *(VISEME + name for name in VISEMES),
        *(f"component_{i + 1}" for i in range(EXPRESSION)),
        *(f"speech_{i + 1}" for i in range(parameters - EXPRESSION)),
    )


def component(name: str) -> int | None:
    """The index in the vector, from "component_3" or "speech_2"."""
    kind, _, number = name.partition("_")
    first = {"component": 0, "speech": EXPRESSION}.get(kind)
    return None if first is None else first + int(number) - 1


def limits(name: str, mode: str = "set") -> tuple[float, float]:
    """The range of one of `names`."""
    high = float(LIMITS[INDEX[name]]) if name in INDEX else 1.0
    if component(name) is not None:
        return (-1.0, 1.0) if mode == "set" else (-2.0, 2.0)
    return (0.0 if mode == "set" else -high), high


def canonical(
    request: Request, *, parameters: int = EXPRESSION, mode: str = "set"
) -> dict[str, float]:
    """The request in full names, checked: every value a number in its range."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; choose from {list(MODES)}.")
    spellings = _spellings(parameters)
    found = {}
    for asked, value in request.items():
        full = spellings.get(_key(asked))
        if full is None:
            raise ValueError(f"There is no {asked!r}; {_nearest(asked, parameters)}.")
        low, high = limits(full[0], mode)
        if not isinstance(value, Real) or not low <= value <= high:  # nor NaN
            raise ValueError(f"{asked} is {value}; {mode!r} takes {low:g} to {high:g}.")
        found |= dict.fromkeys(full, float(value))
    return found


def mirror(request: Request, maps: Maps, *, mode: str = "set") -> dict[str, float]:
    """The request for the face in a looking-glass: sides are exchanged."""
    request = canonical(request, parameters=maps.parameters, mode=mode)
    sign = lambda i: 1.0 if i is None else maps.mirror[i, i]
    return {partner(n): v * sign(component(n)) + 0.0 for n, v in request.items()}


def target(
    maps: Maps,
    now: Vector,
    request: Request,
    *,
    mode: str = "set",
    region: str = "all",
    asked: Request | None = None,
) -> Vector:
    """The vector that is asked for, of a face whose vector is `now` (tidy).

    `asked` (see `placed`) is what led to `now`: components cannot tell all sliders
    apart, so that a slider read back is seldom quite where it was set.
    """
    request = canonical(request, parameters=maps.parameters, mode=mode)
    chosen, asked = region_mask(region), asked or {}
    if mode == "set" and placed(request, region).items() <= asked.items():
        return tidy(now)
    sliders = {INDEX[n]: v for n, v in request.items() if n in INDEX}
    emotions = {n: v for n, v in request.items() if n in EMOTIONS}
    visemes = {
        n.removeprefix(VISEME): v for n, v in request.items() if n.startswith(VISEME)
    }
    said = {INDEX[n]: v for n, v in asked.items() if n in INDEX}
    if mode == "set":
        change = _set(maps, now, emotions, visemes, sliders, said)
    else:
        change = _add(maps, now, emotions, visemes, sliders)
    then = now + _shown(maps, *change, chosen)
    step = np.zeros_like(then)
    for name, value in request.items():
        if (i := component(name)) is not None:
            step[i] = value - (then[i] if mode == "set" else 0)
    return move(maps, then, step, region=region)


def placed(request: Request, region: str) -> dict[str, float]:
    """A checked request for a region, as names and values that stand for themselves."""
    chosen = region_mask(region)
    sliders = {n: v for n, v in request.items() if n in INDEX and chosen[INDEX[n]]}
    mark = "" if chosen.all() else f" of {region}"
    return sliders | {n + mark: v for n, v in request.items() if n not in INDEX}


def move(maps: Maps, now: Vector, change: Vector, *, region: str = "all") -> Vector:
    """`now` and a change of its components, as much of it as the region shows."""
    chosen = region_mask(region)
    if not chosen.all():
        sliders = maps.sliders_of[:, :EXPRESSION] @ change[:EXPRESSION]
        change = _shown(maps, sliders, change[EXPRESSION:], chosen)
    return tidy(now + change)


def region_mask(region: str) -> Bool[np.ndarray, "52"]:
    """Which sliders are of "mouth", "mouth+jaw", ..., or "all"."""
    chosen = np.zeros(len(SLIDERS), bool)
    for part in region.split("+"):
        if part not in ("all", *REGIONS):
            raise ValueError(
                f"There is no region {part!r}; choose from all, {', '.join(REGIONS)}, "
                "or join some with +."
            )
        chosen |= np.isin(SLIDERS, SLIDERS if part == "all" else REGIONS[part])
    return chosen


def _shown(maps, sliders, speech, chosen) -> Float[np.ndarray, "k"]:
    """Changes of sliders and speech, inside a region. Speech is with the mouth."""
    speaks = chosen[INDEX["mouthClose"]]
    return np.append(maps.components_of @ (sliders * chosen), speech * speaks)


def _set(maps, now, emotions, visemes, sliders, said):
    before = now[EXPRESSION:]
    speech, has_speech = before, len(before) > 0
    if emotions and has_speech:
        speech = 0 * before
    if visemes and has_speech:
        speech = np.clip(maps.speech_of @ _mix(visemes, VISEMES), -1, 1)
    exact = maps.sliders_of @ np.append(now[:EXPRESSION], speech)
    # An emotion or a viseme leaves nothing of the old; named sliders are compared with
    # what was shown to the person, which is in range.
    goal = exact.copy()
    if emotions:
        drawn = np.minimum(_mix(emotions, EMOTIONS), LIMITS)
        goal = np.where(GAZE & (drawn == 0), exact, drawn)
        if set(emotions) == {"neutral"}:
            goal = (1 - emotions["neutral"]) * exact
    if visemes and not has_speech:
        goal = np.where(MOUTH, _mix(visemes, VISEMES), goal)
    change = goal - exact
    shown = maps.sliders(np.append(now[:EXPRESSION], speech))
    if not (visemes and has_speech):
        shown[list(said)] = list(said.values())
    for i, value in sliders.items():
        ruled = emotions or (visemes and not has_speech and MOUTH[i])
        change[i] = value - (exact[i] if ruled else shown[i])
    return change, speech - before


def _add(maps, now, emotions, visemes, sliders):
    drawn = _mix(emotions, EMOTIONS)
    words = _mix(visemes, VISEMES)
    speech = maps.speech_of @ words
    if not len(speech):
        drawn = drawn + words
    for i, value in sliders.items():
        drawn[i] += value
    shown = maps.sliders(now)
    return np.clip(shown + drawn, 0, LIMITS) - shown, speech


def _mix(amounts, table):
    return sum(
        (amount * vector(table[name]) for name, amount in amounts.items()),
        np.zeros(len(SLIDERS)),
    )


def _key(name: str) -> str:
    """Case, underscores, spaces and dashes do not matter."""
    return re.sub(r"[\s_-]", "", str(name)).lower()


@functools.cache
def _spellings(parameters: int) -> dict[str, tuple[str, ...]]:
    """Key -> the names that it stands for."""
    known = names(parameters)
    table = {_key(name): (name,) for name in known}
    table |= {alias: (name,) for alias, name in ALIASES.items()}
    for name in SLIDERS:
        if name.endswith("Left"):
            base = name.removesuffix("Left")
            table |= {
                _key(base + "L"): (name,),
                _key(base + "R"): (partner(name),),
            }
            table.setdefault(_key(base), (name, partner(name)))
    for name in known:
        if (i := component(name)) is not None:
            kind, number = name.split("_")
            table |= {f"{kind[0]}{number}": (name,), f"{kind}{number:0>2}": (name,)}
            if i < EXPRESSION:
                table[f"expression{number:0>2}"] = table[f"expression{number}"] = (
                    name,
                )
    return table


def _nearest(asked: str, parameters: int) -> str:
    keys = {_key(n): n for n in (*names(parameters), *ALIASES)}
    close = difflib.get_close_matches(_key(asked), keys, n=3, cutoff=0.5)
    if not close:
        return "sliders are named as in ARKit, for example jawOpen or mouthSmileLeft"
    return f"the nearest are {', '.join(keys[key] for key in close)}"
