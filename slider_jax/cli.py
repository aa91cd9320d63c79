"""The `slider` command. A subcommand imports what it needs, when it runs."""

import json
import pathlib
import sys
from typing import Annotated

import typer

import slider_jax
from slider_jax import cli_edit, cli_evaluate, cli_film, cli_show
from slider_jax import cli_options as options

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _app(help_text: str, **others: str | bool) -> typer.Typer:
    return typer.Typer(
        **dict(add_completion=False) | others,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,  # plain text, and a quicker start
        pretty_exceptions_enable=False,
    )


EXIT_CODES = """Exit codes: 0, done. 1, some of several photos failed, or a check did.
2, an option or a file is wrong. 3, no face that can be edited."""

app = _app("Slide the expression of a face.", epilog=EXIT_CODES, add_completion=True)
cli_edit.register(app)
cli_show.register(app)
cli_film.register(app)
cli_evaluate.register(app)
data = _app("Look at data sets.")
bench = _app("Measure how fast this machine is.")
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")


def main() -> None:
    """The console command. What a user can put right is one sentence; exit 2 or 3."""
    try:
        app()
    except (ValueError, OSError) as error:
        _stop(error, _exit_code(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("slider_jax"):
            raise
        _stop(f"{error}; `slider doctor` says how to get it.")


def _exit_code(error: Exception) -> int:
    """Nothing heavy is imported to find out: what was never loaded was not raised."""
    photo = sys.modules.get("slider_jax.photo")
    return 3 if photo and isinstance(error, photo.FaceError) else 2


def _stop(error: object, code: int = 2) -> None:
    print(f"slider: {error}", file=sys.stderr)
    sys.exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"slider_jax {slider_jax.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and stop.",
        ),
    ] = False,
) -> None:
    pass


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def doctor(
    context: typer.Context,
    config: Annotated[
        str | None, typer.Option(help="Look at a run: FILE, or FILE:variant.")
    ] = None,
    workdir: Annotated[
        pathlib.Path, typer.Option(help="Where that run will write.")
    ] = pathlib.Path("runs"),
    no_time: Annotated[
        bool, typer.Option("--no-time", help="Take no steps to see how long they are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check this machine: versions, devices, assets, disk, and what is missing.

    With --config, check a run before it starts: the config (--config.x=y sets a field,
    as in training), its data, disk, memory and time.

    Exits 0 when all is well, 1 when it is not.
    """
    if config is None:
        from slider_jax import doctor

        if context.args:
            raise typer.BadParameter(f"No such option: {context.args[0]}")
        found, show = doctor.report(), doctor.show
    else:
        from slider_jax import memory, settings

        asked = settings.read([f"--config={config}", *context.args])
        memory.train()  # before JAX starts its threads, as in training
        from slider_jax import rehearsal

        found = rehearsal.rehearse(asked, workdir, timed=not no_time)
        show = rehearsal.show
    typer.echo(json.dumps(found, indent=2) if as_json else show(found))
    raise typer.Exit(1 if found["problems"] else 0)


@app.command()
def licences(
    as_json: Json = False,
    commercial: Annotated[
        bool,
        typer.Option(
            "--commercial",
            help="Exit 1 if anything used here forbids commercial use.",
        ),
    ] = False,
) -> None:
    """List every asset and optional model, and its licence.

    Where each one stands: default (inside the package), build (read once to make a
    file of the package), option (fetched when you choose it), later (not used yet),
    yours (never fetched; you bring the file).
    """
    from slider_jax import licences

    rows = licences.rows()
    typer.echo(json.dumps(rows, indent=2) if as_json else licences.table())
    if not commercial:
        return
    restricted = licences.restricted()
    if restricted:
        verdict = f"Not for commercial use: {', '.join(restricted)}."
    else:
        verdict = (
            "Nothing used here forbids commercial use. "
            "Files that you bring yourself are not looked at."
        )
    typer.echo(verdict, err=as_json)
    raise typer.Exit(1 if restricted else 0)


@app.command("import-torch")
def import_torch(
    file: Annotated[
        pathlib.Path, typer.Argument(help="A state dict: .pt, .pth or .safetensors.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            help="stargan-generator, stargan-critic, ganimation-generator or "
            "ganimation-critic."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Option(help="The .npz to write.")],
    force: options.Force = False,
) -> None:
    """Turn PyTorch weights of StarGAN or GANimation into ours."""
    from slider_jax import files, torch_weights

    files.check_free(out, force)
    state = torch_weights.read(file)
    try:
        params, fields = torch_weights.convert(state, kind)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    files.make_folder(out)
    torch_weights.save(out, params, fields)
    typer.echo(f"{out}: {kind}, {json.dumps(fields)}")


@data.command("show")
def data_show(
    folder: Annotated[pathlib.Path, typer.Argument(help="A folder of open_faces.")],
    out: Annotated[
        pathlib.Path, typer.Option(help="Where to write the picture.")
    ] = pathlib.Path("card.png"),
    force: options.Force = False,
) -> None:
    """Draw the card of a data set again, from its files."""
    from slider_jax import card

    typer.echo(card.show(folder, out, force=force))


@bench.command("render")
def bench_render(
    beside: Annotated[
        pathlib.Path | None,
        typer.Option(help="A rival: a Python file with `draw(size)`."),
    ] = None,
) -> None:
    """Images a second of the renderer, at 64 and 128 px, batch 1 and 16."""
    from slider_jax import bench

    bench.render(beside)


@bench.command("edit")
def bench_edit(
    model: options.Model = None,
    size: Annotated[
        int | None,
        typer.Option(help="A full model of this size with random weights instead."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores for everybody; all if not given.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Of every contender.")] = 15,
    as_json: Json = False,
) -> None:
    """Milliseconds to paint a face, beside onnxruntime where it is installed."""
    from slider_jax import bench_edit

    bench_edit.edit(model, size=size, threads=threads, turns=turns, as_json=as_json)


@bench.command("train")
def bench_train(
    size: Annotated[
        int | None, typer.Option(help="Of an image: 64, 128 or 256 pixels.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Channels of the first layer.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Faces in a batch.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores for everybody; all if not given.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Of every contender.")] = 9,
    styles: Annotated[
        bool, typer.Option("--styles", help="Our other ways to convolve, too.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Names of the table's rows, with semicolons.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Seconds and memory of a training step, beside PyTorch where it is installed."""
    from slider_jax import bench_train

    bench_train.train(
        size=size,
        width=width,
        batch=batch,
        threads=threads,
        turns=turns,
        styles=styles,
        only=only,
        as_json=as_json,
    )


@bench.command("data")
def bench_data(
    folder: Annotated[pathlib.Path, typer.Argument(help="A folder of open_faces.")],
) -> None:
    """Images a second of the loader, beside decoding alone."""
    from slider_jax import bench

    bench.data(folder)


@app.command()
def studio(
    model: options.Model = None,
    host: Annotated[
        str,
        typer.Option(help="Where to listen. Others than this machine can ask then."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes any that is free.")
    ] = 7862,
    browse: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser",
            help="A simpler page, which runs the model by itself: once a photo is "
            "open, it asks this program for nothing. Fetches onnxruntime-web (MIT, "
            "33 MB) with npm the first time; needs slider_jax[export].",
        ),
    ] = False,
) -> None:
    """Open a page with a photo and its sliders. Nothing leaves this machine."""
    from slider_jax import studio

    studio.run(model, host=host, port=port, browse=browse, browser=browser)


if __name__ == "__main__":
    main()
