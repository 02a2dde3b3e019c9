"""Options that many commands share, and how they reach the configuration."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_seg.cli.output import Output

if TYPE_CHECKING:
    from stream_seg.config import Config


class Form(StrEnum):
    """What files hold."""

    csv = "csv"
    parquet = "parquet"
    ndjson = "ndjson"


class AnyForm(StrEnum):
    """The same, or that the inputs are topics."""

    csv = "csv"
    parquet = "parquet"
    ndjson = "ndjson"
    kafka = "kafka"


Inputs = Annotated[list[str] | None, typer.Argument(metavar="INPUT...", help="Files of events.")]
_FORMAT: Any = typer.Option("--format", help="What the inputs are. Default: by the ends of their names.")
FileFormat = Annotated[Form | None, _FORMAT]
AnyFormat = Annotated[AnyForm | None, _FORMAT]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Customers as they were then. Default: after the last event."),
]
Run = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="Folder for what is made; an earlier run there is replaced.")
]
Again = Annotated[
    Path | None,
    typer.Option("--from", metavar="RUN", help="Makes an earlier run again: its inputs, options and configuration."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of text.", show_default=False)]
ConfigFile = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="FILE", envvar="STREAM_SEG_CONFIG", help="The configuration."),
]
Wait = Annotated[float, typer.Option(metavar="SECONDS", min=0, max=3600, help="So long for LEARN's answer.")]
WAIT = 60.0
DEFAULT_CONFIG = Path("segmentation.yaml")


def output(context: typer.Context, *, json: bool) -> Output:
    """The output of this call; ``--json`` counts before the command's name too."""
    return Output(json=json or bool(context.obj))


def read_config(
    file: Path, overrides: "Mapping[tuple[str, str], Any] | None" = None, *, model: bool = True
) -> "Config":
    """The checked configuration, environment and command line over it; the initial model too, unless not wanted.

    Raises `ConfigError`.
    """
    from stream_seg.config import load  # noqa: PLC0415  # pydantic and YAML wait until a command needs them

    return load(
        file, os.environ, {(section, key): value for (section, key), value in (overrides or {}).items()}, model=model
    )


@contextmanager
def extra_explore() -> Iterator[None]:
    """Around an import that needs the extra `explore`: raises `Stop` with the remedy where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "stream_seg":
            raise
        from stream_seg.errors import Stop  # noqa: PLC0415  # nearly never

        raise Stop(f"the package {package} is not installed: pip install 'stream_seg[explore]'") from error


def present(inputs: Sequence[str], option: str = "INPUT") -> None:
    """Raises where one of the files is not there."""
    if missing := [name for name in inputs if not Path(name).is_file()]:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}", param_hint=option)


def files_or_run(context: typer.Context, inputs: Sequence[str], again: Path | None, out: Path) -> None:
    """Raises unless there are files, or an earlier run and nothing beside it that would not count."""
    if again is None:
        if not inputs:
            raise typer.BadParameter("name files of events, or an earlier run with --from", param_hint="INPUT")
        present(inputs)
        return
    beside = [
        "INPUT" if one.param_type_name == "argument" else one.opts[0]
        for one in context.command.params
        if one.name not in {"out", "again", "json"}
        if (source := context.get_parameter_source(one.name or "")) and source.name == "COMMANDLINE"
    ]
    if beside:
        raise typer.BadParameter(f"an earlier run has its own {', '.join(beside)}: leave it out", param_hint="--from")
    if again.resolve() == out.resolve():
        raise typer.BadParameter("is the run itself: name another folder", param_hint="--out")


def instant(text: str | None, option: str) -> int | None:
    """A date or an ISO 8601 instant as ms since 1970; without a zone it is UTC."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an instant, write 2017-03-01 or 2017-03-01T12:00:00Z", param_hint=option
        ) from None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return int(when.timestamp() * 1000)
