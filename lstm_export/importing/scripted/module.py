"""From a TorchScript archive to a plain module with the same function."""

from __future__ import annotations

import itertools
import linecache
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import nn

from lstm_export.errors import CheckpointError
from lstm_export.importing.scripted.lines import prune, rendered
from lstm_export.importing.scripted.namespace import NAMES
from lstm_export.importing.scripted.refusal import Unsupported, refusal
from lstm_export.importing.scripted.terms import Held, Term
from lstm_export.importing.scripted.translate import Translator

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scripted:
    """A script as a `module` with its own code, `source`; the `original`; and what was noticed.

    Both are on the CPU, in float32 and in eval mode.
    """

    module: nn.Module
    original: torch.jit.ScriptModule
    source: str
    notes: tuple[str, ...]


def scripted_module(path: Path) -> Scripted:
    """The whole function of the archive at `path`, which is executed.

    forward has the script's own arguments and gives results nested like the script's. Raises
    CheckpointError if torch cannot load the archive, or if it does something that has no
    counterpart; the message has the place in its source.
    """
    script, functions = _loaded(path)
    notes = []
    dtypes = {one.dtype for one in script.state_dict().values() if one.is_floating_point()}
    if other := sorted(str(dtype).removeprefix("torch.") for dtype in dtypes - {torch.float32}):
        script.float()
        notes.append(f"the script was not in float32 throughout ({', '.join(other)}): it is now")
    if not script._c._has_method("forward"):
        raise refusal(str(path), "it has no forward", "")
    method = script._c._get_method("forward")
    arguments = method.schema.arguments[1:]
    translator = Translator(str(path), script, functions)
    given = [Term(translator.argument(one.name)) for one in arguments]
    try:
        results = translator.run(method.graph, [Term("self", Held(script, "")), *given])
    except Unsupported as error:
        raise refusal(str(path), str(error), "") from None
    translator.line("", f"return {', '.join(translator.texts(results))}", None, pure=False)
    if steps := translator.unrolled():
        notes.append(
            f"the script takes {steps} entries of a tensor one by one, whatever its length: if "
            "that was a loop over time when it was traced, make it with torch.jit.script"
        )
    prune(translator.statements)
    lines = [
        f"def forward(self, {', '.join(one.text for one in given)}):",
        *rendered(translator.statements, 1),
    ]
    source = "\n".join(lines) + "\n"
    forward = _compiled(source, f"<{path.name}, script {next(_numbers)}>")
    defaults = tuple(one.default_value for one in arguments if one.has_default_value())
    forward.__defaults__ = defaults
    module: nn.Module = type(script.original_name, (nn.Module,), {"forward": forward})()
    translator.attributes.fill(module)
    return Scripted(module.eval(), script, source, tuple(notes))


def _loaded(path: Path) -> tuple[torch.jit.ScriptModule, Any]:
    """The script and what holds the functions that it calls."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # What torch.jit.load does, which keeps the functions to itself.
            functions = torch._C.CompilationUnit()
            load: Any = torch._C.import_ir_module
            wrap: Any = torch.jit._recursive.wrap_cpp_module
            found = load(functions, str(path), torch.device("cpu"), {}, False)
            script: torch.jit.ScriptModule = wrap(found)
            return script.eval(), functions
    except (RuntimeError, ValueError, OSError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise CheckpointError(
            f"{path}: expected an archive of torch.jit.save, but torch cannot load it: "
            f"{reason.strip()}: save it again with torch.jit.save, or with a version of torch that "
            "is not newer than this one"
        ) from None


def _compiled(source: str, name: str) -> FunctionType:
    # Tracebacks and the exporter quote it from here.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope = dict(NAMES)
    exec(compile(source, name, "exec"), scope)
    forward: FunctionType = scope["forward"]
    return forward
