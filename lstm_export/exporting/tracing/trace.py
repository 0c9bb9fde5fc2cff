"""From a module and one way to call it to torch's exported program, with every axis open.

The recurrent layers, packed sequences and time loops that torch cannot follow are recorded by the
captures. Every axis of every input gets a symbol of its own; what the module demands of them (two
that must be equal, one that a weight fixes) is found out by tracing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shape_settings
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from lstm_export.errors import ExportError
from lstm_export.exporting.audit.watch import watched_sizes
from lstm_export.exporting.capture.found import found_lengths
from lstm_export.exporting.capture.loops import loop_capture
from lstm_export.exporting.capture.packed import packed_capture
from lstm_export.exporting.capture.pooling import PoolingCapture
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.capture.steps import STEPS
from lstm_export.exporting.rolling.roll import roll_loops
from lstm_export.exporting.rolling.twice import expect_same
from lstm_export.exporting.tracing.blame import blame, first_line
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.tracing.flat_module import FlatModule, TracingStoppedError
from lstm_export.exporting.unchanged.kept import Snapshot


@dataclass(frozen=True, slots=True)
class Traced:
    """A module as torch's exported program.

    `trimmed` tells whether padded results end where the longest sequence of the batch does, as
    torch has it, or where the padded input does.
    """

    call: Call
    program: ExportedProgram
    trimmed: bool

    @property
    def lengths(self) -> frozenset[str]:
        """The inputs that hold the lengths of sequences which the module packs."""
        return frozenset(self.call.inputs[i].name for i in found_lengths(self.program))


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is known of axes before tracing, by input name and position: those that are `fixed` at
    the example's size, and the `shortest` size of others where it is not 1.
    """

    fixed: Mapping[str, Collection[int]] = field(default_factory=dict)
    shortest: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


def trace(
    module: nn.Module, call: Call, output_names: Collection[str], sizes: Sizes | None = None
) -> Traced:
    """`module` traced on the examples of `call`, every axis open but those that `sizes` fixes.

    Raises ExportError with the place in the user's code where tracing ended.
    """
    flat = FlatModule(module, call, tuple(output_names))
    sizes = sizes or Sizes()
    refusal: Exception
    try:
        return Traced(call, _program(flat, sizes), trimmed=True)
    except _PackedError as error:
        refusal = error.refusal
        # What is combined with the padded input has its length, and eager torch agrees only where
        # the longest sequence fills it: then nothing is trimmed.
        with contextlib.suppress(Exception):
            return Traced(call, _program(flat, sizes, trim=False), trimmed=False)
    except Exception as error:
        refusal = error
    if isinstance(refusal, ExportError):
        raise refusal
    # torch cannot tell how long x[:, 2:3] is where x may have a single step: it is told that there
    # are as many as in the example, which the operators that it chooses do not depend on.
    longer = replace(sizes, shortest=_as_in_examples(call))
    with contextlib.suppress(Exception):
        return Traced(call, _program(flat, longer), trimmed=True)
    place = blame(refusal)
    raise ExportError(
        f"{type(module).__name__} cannot be traced with dynamic axes: {_reason(refusal)}"
        + (f"\n  at {place}" if place else "")
    ) from refusal


def _as_in_examples(call: Call) -> dict[str, dict[int, int]]:
    return {leaf.name: dict(enumerate(leaf.example.shape)) for leaf in call.inputs}


def _reason(error: Exception) -> str:
    if isinstance(error, GuardOnDataDependentSymNode):
        return (
            f"Python decides here on a value that is known at run time alone ({error.cond}); "
            "compute both ways and choose with torch.where"
        )
    return first_line(error)


class _PackedError(Exception):
    """Tracing failed after sequences were packed."""

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal


def _program(flat: FlatModule, sizes: Sizes, *, trim: bool = True) -> ExportedProgram:
    program, loops = _recorded(flat, sizes, trim, STEPS)
    if loops:
        expect_same(program, _recorded(flat, sizes, trim, STEPS + 1)[0])
    return program


def _recorded(
    flat: FlatModule, sizes: Sizes, trim: bool, steps: int
) -> tuple[ExportedProgram, bool]:
    """The program, and whether there are loops in it, of which `steps` steps were recorded."""
    axes = tuple(
        {
            axis: Dim.STATIC if axis in sizes.fixed.get(leaf.name, ()) else Dim.AUTO
            for axis in range(leaf.example.dim())
        }
        for leaf in flat.call.inputs
    )
    # Without it torch guards that no length is ever 0 or 1, and a short input leads to such.
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    # What forward keeps of a trace is no tensor that anyone can use.
    flat.shortest = sizes.shortest
    before = Snapshot(flat.module, weights=False)
    with recurrent_capture(flat.module), packed_capture(trim=trim) as known, oblivious:
        try:
            with PoolingCapture(), loop_capture(flat.module, steps=steps) as loops, watched_sizes():
                program = torch.export.export(
                    flat, flat.call.examples, dynamic_shapes=(axes,), strict=False
                )
                return roll_loops(program), bool(loops.loops)
        except Exception as error:
            stopped = error.error if isinstance(error, TracingStoppedError) else error
            if trim and known.batches:
                raise _PackedError(stopped) from error
            raise stopped from None
        finally:
            before.restore()
