"""The `lstm-export` program: its commands, and one table from errors to exit codes.

Exit codes: 0 done, 1 a check failed, 2 bad use or bad input, 70 our own fault, 130 interrupted.
Command files import nothing heavy at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import traceback
from typing import Annotated

import typer

from lstm_export import __version__
from lstm_export.cli.bench import bench
from lstm_export.cli.compare import compare
from lstm_export.cli.data import data
from lstm_export.cli.demo import demo
from lstm_export.cli.doctor import doctor
from lstm_export.cli.examples import examples
from lstm_export.cli.explain import explain
from lstm_export.cli.export import export
from lstm_export.cli.inspect import inspect
from lstm_export.cli.predict import predict
from lstm_export.cli.runtimes import runtimes
from lstm_export.cli.stream import stream
from lstm_export.cli.train import train
from lstm_export.cli.verify import verify
from lstm_export.errors import LstmExportError, ParityError

DONE, CHECK_FAILED, BAD_INPUT, OWN_FAULT, INTERRUPTED = 0, 1, 2, 70, 130

app = typer.Typer(
    name="lstm-export",
    help="Recurrent networks as ONNX bundles: any batch, any length, the same numbers everywhere.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    *(demo, data, train, compare, export, verify, predict, stream, explain, inspect, doctor, bench),
    *(runtimes, examples),
)
for command in COMMANDS:
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lstm-export {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Recurrent networks as ONNX bundles: any batch, any length, the same numbers everywhere."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the program on `arguments` (default: the process's own) and exits with its code."""
    # A sign that the terminal cannot show becomes an escape, not a crash.
    for channel in (sys.stdout, sys.stderr):
        if isinstance(channel, io.TextIOWrapper):
            channel.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Reported already. Python would flush once more at its end and fail with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; nothing escapes."""
    # Accepted anywhere on the line: people append it to the command that just failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        result = app(arguments or ["--help"], prog_name="lstm-export", standalone_mode=False)
    except SystemExit:  # how typer answers a reader of stdout that left, as `| head` does
        return DONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    return result if isinstance(result, int) else DONE


def _report(error: Exception) -> int:
    if isinstance(error, typer.Abort):
        _complain("interrupted")
        return INTERRUPTED
    if isinstance(error, LstmExportError):
        _complain(f"error: {error}")
        return CHECK_FAILED if isinstance(error, ParityError) else BAD_INPUT
    if hasattr(error, "format_message"):  # typer's and click's own usage errors
        command = getattr(getattr(error, "ctx", None), "command_path", "lstm-export")
        message = error.format_message().rstrip(".")
        _complain(f"error: {message}. See `{command} --help`.")
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        _complain("error: cannot write the result: no space left on stdout's device")
        return BAD_INPUT
    _complain(
        f"error: {type(error).__name__}: {error}\n"
        "This is a fault of lstm-export itself; run again with --debug and report what it prints.",
    )
    return OWN_FAULT


def _complain(message: str) -> None:
    """On stderr; where even that cannot be written, the exit code has to say it."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
