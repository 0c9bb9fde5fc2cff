"""A graph against what runtimes are known to do: the tables of `limits`, applied to a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx, read_onnx
from lstm_export.doctor.finding import Consequence, Evidence, Finding
from lstm_export.doctor.limits import documented, inputs, operators, recurrent, versions
from lstm_export.doctor.limits.known import TRIED, Limit, Outcome
from lstm_export.doctor.limits.measured import shows
from lstm_export.errors import OptionError

LIMITS: tuple[Limit, ...] = (
    *recurrent.LIMITS,
    *operators.LIMITS,
    *inputs.LIMITS,
    *versions.LIMITS,
    *documented.LIMITS,
)

_GRAVITY: tuple[Consequence, ...] = (
    "silently wrong",
    "crashes",
    "refuses",
    "older releases refuse",
    "unguarded",
    "inexact",
    "slow",
    "converts",
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that is asked about, perhaps in one release: `onnxruntime@1.17`."""

    name: str
    release: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name + "@" * bool(self.release) + ".".join(map(str, self.release))


def read_runtime(text: str) -> Runtime:
    """`name` or `name@release`. Raises OptionError for a runtime that nothing is known of."""
    name, _, release = text.strip().lower().partition("@")
    if name not in TRIED:
        raise OptionError(f"expected a runtime of {', '.join(TRIED)}; got {text.strip()!r}")
    if release and not re.fullmatch(r"\d+(\.\d+)*", release):
        raise OptionError(f"{text.strip()}: expected a release such as {name}@1.20")
    return Runtime(name, tuple(int(part) for part in release.split(".")) if release else ())


def diagnose_graph(
    source: OnnxFile | str | Path | bytes, runtimes: Iterable[str | Runtime] | None = None
) -> list[Finding]:
    """Each construct of an ONNX graph that one of `runtimes` (default: all known) is known to
    refuse or to compute otherwise; by runtime, the gravest first.

    Nothing is run, and neither onnx nor a runtime is needed. A construct that is not in the tables
    is not judged. Raises BundleError for a file that is no ONNX model, OptionError for a runtime
    that is not known.
    """
    if isinstance(source, OnnxFile):
        model = source
    elif isinstance(source, bytes):
        model = parse_onnx(source, "the graph")
    else:
        model = read_onnx(source)
    asked = TRIED if runtimes is None else runtimes
    wanted = [one if isinstance(one, Runtime) else read_runtime(one) for one in asked]
    occurring = [(limit, places) for limit in LIMITS if (places := limit.occurs(model))]
    found = [
        finding
        for runtime in dict.fromkeys(wanted)
        for limit, places in occurring
        for finding in _findings(runtime, limit, places)
    ]
    order = {str(runtime): index for index, runtime in enumerate(dict.fromkeys(wanted))}
    return sorted(found, key=lambda one: (order[one.runtime], _GRAVITY.index(one.consequence)))


def _findings(runtime: Runtime, limit: Limit, places: tuple[str, ...]) -> Iterator[Finding]:
    for outcome in limit.outcomes:
        if runtime.name not in outcome.runtimes.split():
            continue
        consequence = _in_release(outcome, runtime.release)
        if consequence is not None:
            yield Finding(
                str(runtime),
                "" if outcome.since else TRIED[runtime.name],
                limit.construct,
                consequence,
                outcome.detail,
                limit.avoid,
                places,
                _evidence(runtime.name, limit, outcome),
                outcome.source,
            )


def _evidence(runtime: str, limit: Limit, outcome: Outcome) -> Evidence:
    if outcome.source:
        return "read"
    shown = shows(runtime, limit.construct, outcome.consequence)
    return "measured" if shown else "tried"


def _in_release(outcome: Outcome, release: tuple[int, ...]) -> Consequence | None:
    """What comes of it in one release, where the outcome depends on that and one is named."""
    if not outcome.since or not release:
        return outcome.consequence
    return "refuses" if release < outcome.since else None
