"""The command ``stream-seg``: parses, calls `stream_seg.bootstrap`, shows what came back.

Exit codes: 0 fine · 1 it failed · 2 wrong usage or configuration · 3 it worked and found something · 130 Ctrl-C.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer
from typer.exceptions import TyperException

from stream_seg.cli.output import FAILED, INTERRUPTED, OK, USAGE
from stream_seg.errors import ConfigError, StreamSegError


class Asked(NamedTuple):
    """What counts wherever it stands among the arguments, also when they cannot be parsed."""

    json: bool
    debug: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    sys.exit(call(sys.argv[1:] if arguments is None else list(arguments)))


def call(arguments: list[str]) -> int:
    """Runs one command and returns its exit code. Errors are one clear line, a traceback only with ``--debug``."""
    from stream_seg.cli.app import app  # noqa: PLC0415  # the commands import this module's codes

    end = arguments.index("--") if "--" in arguments else len(arguments)
    asked = Asked(json="--json" in arguments[:end], debug="--debug" in arguments[:end])
    arguments = [word for word in arguments[:end] if word != "--debug"] + arguments[end:]
    # Drivers log what they also raise; `run` sets up the logs of workers itself.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="stream-seg", standalone_mode=False)
    except TyperException as error:
        return _failed(asked, error, error.format_message() + _hint(error), error.exit_code)
    except ConfigError as error:
        return _failed(asked, error, str(error), USAGE)
    except StreamSegError as error:
        return _failed(asked, error, f"stream-seg: {error}", FAILED)
    except KeyboardInterrupt as error:  # just before or after the command itself, which ends the same way
        return _failed(asked, error, "stream-seg: interrupted", INTERRUPTED)
    except typer.Abort as error:
        return _failed(asked, error, "stream-seg: interrupted", FAILED)
    except BrokenPipeError:  # `stream-seg segments | head`: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001  # the last line of defence: a person sees a line, not a stack
        if _interrupted(error):
            return _failed(asked, error, "stream-seg: interrupted", INTERRUPTED)
        what = f"{type(error).__name__}: {error}".strip().rstrip(":")
        text = f"stream-seg: a mistake in stream_seg itself ({what}); run it again with --debug and report what it says"
        return _failed(asked, error, text, FAILED)
    return code if isinstance(code, int) else OK


def _interrupted(error: BaseException) -> bool:
    """Whether it was Ctrl-C that a library made another error of, as numba does where it hits the call of a kernel.

    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     except KeyboardInterrupt as hit:
    ...         raise SystemError("returned a result with an exception set") from hit
    ... except SystemError as error:
    ...     _interrupted(error), _interrupted(ValueError())
    (True, False)
    """
    under = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt) or (under is not None and _interrupted(under))


def _hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"\nSee `{context.command_path} --help`." if context is not None else ""


def _failed(asked: Asked, error: BaseException, text: str, code: int) -> int:
    if asked.debug:
        traceback.print_exception(error, file=sys.stderr)
    print(text, file=sys.stderr)
    if asked.json:
        document: dict[str, Any] = {"kind": type(error).__name__, "message": text.removeprefix("stream-seg: ")}
        if isinstance(error, ConfigError):
            document["problems"] = error.problems
        print(json.dumps({"error": document}, ensure_ascii=False, indent=2))
    return code
