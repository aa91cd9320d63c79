"""`slider evaluate`."""

import pathlib
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(evaluate)


def evaluate(
    runs: Annotated[
        str,
        typer.Option(
            help="Folders of runs or model files, with commas between; 'default' is "
            "the model in the package."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Option("--out", "-o", help="The folder.")],
    suite: Annotated[str, typer.Option(help="Which protocols.")] = "open_faces",
    data: Annotated[
        pathlib.Path | None,
        typer.Option(help="A set of data_prep/render_faces.py; else the tiny one."),
    ] = None,
    pairs: Annotated[int, typer.Option(help="At most, for each table.")] = 200,
    fast: Annotated[bool, typer.Option("--fast", help="A quick look.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Get judges that are not here yet.")
    ] = False,
    features: Annotated[
        str,
        typer.Option(
            help="Under FID and KID: vgg16, or inception:FILE, the state dict of FID's "
            "Inception v3."
        ),
    ] = "vgg16",
) -> None:
    """Measure runs on people that no training saw: a report with the paper's tables.

    A report is a folder: index.html, the same as report.md and report.json, pictures,
    and parts, from which an interrupted evaluation goes on.
    """
    from slider_jax import memory

    memory.keep()  # before JAX starts its threads
    from slider_jax import evaluate, programs

    programs.keep_programs()
    try:
        evaluate.evaluate(
            [run for run in runs.split(",") if run],
            out,
            suite=suite,
            data=data,
            pairs=pairs,
            fast=fast,
            seed=seed,
            fetch=fetch,
            features=features,
        )
    except KeyboardInterrupt:
        typer.echo(f"slider: stopped; again, it goes on from {out}/parts.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"Done: {out}/index.html, report.md and report.json.")
