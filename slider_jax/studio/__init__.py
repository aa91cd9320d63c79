"""The studio: a local page where a photo gets sliders.

Why not Gradio: in headless Chromium on two busy cores, Gradio 6.31 took 49 ms (median;
95th percentile 142 ms) from a slider's move to a new 512 px picture around a function
of 5 ms, which leaves a model of 60 ms no room under the goal of 100 ms. Ticks at
measured values, a head that moves with the hand, shift-arrows and a wipe would each
have been scripts inside its page, so there is one plain page instead.

Everything stays on this machine: the server answers loopback only unless told
otherwise, the page loads nothing from elsewhere, and photos live in memory, for as
long as their tab asks for something at least once an hour.

The page is a client of these endpoints, open to any other program on this machine. A
*story* is all that was asked for, so that undoing is to ask for an older one:

    {"face": 0, "steps": [{"0": {"start": null, "request": {"jawOpen": 0.6}}}]}

`steps` are applied one on another; each holds, for faces counted from the left, where
to start from (a vector of components, or null for what is measured) and a request as
`slider edit --set` takes it. `face` is the one that the answer speaks of.

    GET  /api/model          what there is to slide: names, groups, ranges, the mirror
    GET  /api/head           the 3D head, gzipped: see studio/puppet.py
    POST /api/tab            -> {"tab"}: a session of one's own
    POST /api/photo?tab=     a photo's bytes [&name=&box=x,y,w,h] -> its faces
    POST /api/render         {tab, seq, story, side, mask} -> *frames*: the picture, no
                             larger than `side`, and sliders, vector and mask
    POST /api/face           {tab, story} -> frames: what a page must know to edit alone
                             (studio/browser.py), and the aligned face as RGB bytes
    POST /api/original       {tab, side} -> the photo as JPEG
    POST /api/blend          {tab, story, wanted, region, amount} -> {"vector"}
    POST /api/random         {tab, seed} -> {"request"}
    POST /api/transfer?tab=  a second photo's bytes -> {"vector"} of its largest face
    POST /api/thumbs         {tab, story, component} -> frames: at -1, and at 1
    POST /api/strip          {tab, story, name, steps} -> PNG of one slider, end to end
    POST /api/gif            {tab, story, side} -> GIF from measured to asked and back
    POST /api/download       {tab, story, format} -> the photo at native size
    POST /api/command        {tab, story, name} -> {"command"} for a shell

*Frames* are one JSON line with the "sizes" of what follows, then those files. Of the
renders that wait, a tab's newest `seq` is drawn and older ones answer 409. Errors are
{"error": "one sentence"}: 400 what was sent, 403 who sent it, 410 the tab is gone
(open another and send the photo again), 413 too large, 422 no usable face.
"""

import os
import pathlib
import tempfile


def run(
    model: str | os.PathLike | None,
    *,
    host: str,
    port: int,
    browse: bool,
    browser: bool = False,
) -> None:
    """Serves until Ctrl-C. With `browser`, the page that runs the model by itself."""
    from slider_jax import memory

    memory.keep()
    from slider_jax.edit import Editor
    from slider_jax.studio import browser as browsers
    from slider_jax.studio.answers import Studio
    from slider_jax.studio.server import serve

    if browser:
        browsers.runtime()  # what is missing is said before anything takes time
    editor = Editor.load(model)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        given = browsers.prepare(editor.model, folder) if browser else None
        editor.warm_up()
        serve(
            Studio(editor, None if model is None else str(model)),
            host=host,
            port=port,
            browse=browse,
            browser=given,
        )
