"""The HTTP side of the studio: routes, errors, and the page's files."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

from slider_jax.photo import FaceError
from slider_jax.studio import guard, puppet
from slider_jax.studio.answers import StaleError, Studio
from slider_jax.studio.browser import Browser
from slider_jax.studio.tabs import GoneError

PAGE = pathlib.Path(__file__).parent / "page"


def make_app(
    studio: Studio, host: str = "127.0.0.1", browser: Browser | None = None
) -> Callable:
    """The ASGI application; `host` is where it will listen."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route

    def refuse(sentence: str, status: int) -> Response:
        return JSONResponse({"error": sentence}, status)

    def answer(made: Any, media: str | None) -> Response:
        if isinstance(made, tuple):
            made, media = made
        return Response(made, media_type=media) if media else JSONResponse(made)

    def safely(work: Callable) -> Callable:
        async def endpoint(request: Request) -> Response:
            try:
                return await work(request)
            except StaleError:
                return refuse("A newer request took its place.", 409)
            except GoneError:
                return refuse("This session is gone: send the photo again.", 410)
            except guard.TooLargeError as error:
                return refuse(str(error), 413)
            except FaceError as error:
                return refuse(_in_the_page(error), 422)
            except ValueError as error:
                return refuse(str(error), 400)

        return endpoint

    def asks(work: Callable, media: str | None = None) -> Callable:
        async def run(request: Request) -> Response:
            ask = _plain(await guard.body(request.stream()))
            tab = studio.tabs.get(ask.get("tab"))
            return answer(await run_in_threadpool(work, tab, ask), media)

        return safely(run)

    def sends(work: Callable, *keys: str) -> Callable:
        async def run(request: Request) -> Response:
            tab = studio.tabs.get(request.query_params.get("tab"))
            whole = await guard.body(request.stream())
            more = [request.query_params.get(key) for key in keys]
            return answer(await run_in_threadpool(work, tab, whole, *more), None)

        return safely(run)

    def gives(work: Callable, media: str | None = None, **headers: str) -> Callable:
        async def run(request: Request) -> Response:
            made = answer(await run_in_threadpool(work), media)
            made.headers.update(headers)
            return made

        return run

    def file(path: pathlib.Path) -> Callable:
        async def run(request: Request) -> Response:
            return FileResponse(path)

        return run

    pages = {f"/{path.name}": path for path in PAGE.iterdir() if path.suffix != ".html"}
    pages["/"] = PAGE / "index.html"
    if browser:
        pages |= {"/browser": PAGE / "browser.html", "/model.onnx": browser.model}
        pages |= {f"/ort/{path.name}": path for path in browser.runtime.iterdir()}
    post = lambda path, work: Route(f"/api/{path}", work, methods=["POST"])
    jpeg, raw = "image/jpeg", "application/octet-stream"
    mesh = gives(puppet.mesh, raw, **{"content-encoding": "gzip"})
    routes = [
        *(Route(address, file(path)) for address, path in pages.items()),
        Route("/api/model", gives(studio.describe)),
        Route("/api/head", mesh),
        post("tab", gives(studio.new_tab)),
        post("photo", sends(studio.open, "name", "box")),
        post("transfer", sends(studio.transfer, "name")),
        post("render", asks(studio.render, raw)),
        post("face", asks(studio.face, raw)),
        post("original", asks(studio.original, jpeg)),
        post("blend", asks(studio.blend)),
        post("random", asks(studio.random)),
        post("thumbs", asks(studio.thumbs, raw)),
        post("strip", asks(studio.strip, "image/png")),
        post("gif", asks(studio.gif, "image/gif")),
        post("download", asks(studio.download)),
        post("command", asks(studio.command)),
    ]
    return guard.Guard(Starlette(routes=routes), host, refuse)


def serve(
    studio: Studio,
    *,
    host: str,
    port: int,
    browse: bool,
    browser: Browser | None = None,
) -> None:
    """Until Ctrl-C. Port 0 takes any that is free."""
    import socket
    import webbrowser

    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise ValueError(
            f"Port {port} of {host} cannot be had ({error.strerror}): choose another "
            "with --port, or --port 0 for any."
        ) from error
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    address += "browser" if browser else ""
    print(f"The studio is at {address} (Ctrl-C stops it).", flush=True)
    if host not in guard.LOOPBACK:
        print("Everybody who reaches this machine can use it, unencrypted.", flush=True)
    if browse:
        webbrowser.open(address)
    config = uvicorn.Config(
        make_app(studio, host, browser), log_level="warning", lifespan="off", ws="none"
    )
    uvicorn.Server(config).run(sockets=[listening])


def _in_the_page(error):
    by_hand = "say where the face is with --box x,y,w,h (box= in Python)"
    return str(error).replace(by_hand, "draw a box around the face here")


def _plain(content):
    try:
        ask = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        ask = None
    if not isinstance(ask, dict):
        raise ValueError("This is no JSON object.")
    return ask
