"""`path/to/file.py:name` as a module: the user's own code, run because the user named it.

The name is a function that gives an nn.Module or a module class, either called with the arguments
that the user gave, or a module that the file holds. The file runs as it would for `python
file.py`: its folder is on sys.path, and a file inside a package may import relatively. What it
prints goes to stderr, since stdout may be a document for machines.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.source.spelling import SOURCE


def load_factory(source: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """The module that `file.py:name` gives, as the file made it; called with `options` by name.

    Raises OptionError if there is no such file or name, or the options are not its own;
    ExportError if the code raises, exits, or gives something else.
    """
    match = SOURCE.fullmatch(source)
    if match is None:
        raise OptionError(f"expected a Python file and a name in it, model.py:build; got {source}")
    path, name = Path(match["file"]), match["name"] or ""
    if not path.is_file():
        raise OptionError(f"{path}: there is no such file")
    content = _import(path)
    if not name:
        raise OptionError(f"{path}: which name in it gives the module?{_candidates(path, content)}")
    found: Any = content
    for part in name.split("."):
        if not hasattr(found, part):
            raise OptionError(f"{path} has no {name!r}.{_candidates(path, content)}")
        found = getattr(found, part)
    given = dict(options or {})
    if isinstance(found, nn.Module):
        if given:
            raise OptionError(
                f"{path}:{name} is a module already: it takes no arguments {', '.join(given)}"
            )
        return found
    if not callable(found):
        raise ExportError(
            f"{path}:{name} is a {type(found).__name__}; expected a module, or a function or class "
            "that gives one"
        )
    _check_arguments(path, name, found, given)
    made = _run(path, f"{name}()", functools.partial(found, **given))
    if not isinstance(made, nn.Module):
        raise ExportError(f"{path}:{name}() gave {_described(made)}; expected a torch.nn.Module")
    return made


def _import(path: Path) -> ModuleType:
    file = path.resolve()
    folder, dotted = file.parent, file.stem
    in_package = False
    while (folder / "__init__.py").is_file():
        folder, dotted, in_package = folder.parent, f"{folder.name}.{dotted}", True
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if in_package:
        content: ModuleType = _run(path, "the file", lambda: importlib.import_module(dotted))
        return content
    # A name of our own: the file may be called as a package that is installed.
    spec = importlib.util.spec_from_file_location(
        f"_lstm_export_{abs(hash(file)):x}_{file.stem}", file
    )
    assert spec is not None
    assert spec.loader is not None
    content = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = content
    loader = spec.loader

    try:
        _run(path, "the file", lambda: loader.exec_module(content))
    except BaseException:
        del sys.modules[spec.name]
        raise
    return content


def _run(path: Path, what: str, function: Callable[[], Any]) -> Any:
    """`function`'s result; whatever the user's code raises becomes one message with its place."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return function()
    except SyntaxError as error:
        raise ExportError(
            f"{error.filename or path}:{error.lineno}: not valid Python: {error.msg}"
        ) from error
    except SystemExit as error:
        raise ExportError(
            f"{_place(path, error)}: running {what} ended the program (SystemExit: {error.code}). "
            'Keep what starts a script under `if __name__ == "__main__":`'
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or "no message"
        raise ExportError(
            f"{_place(path, error)}: running {what} raised {type(error).__name__}: {reason}"
        ) from error


def _place(path: Path, error: BaseException) -> str:
    """The user's own line that was running: the innermost one in their file."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return f"{path}:{own[-1].lineno}" if own else str(path)


def _check_arguments(
    path: Path, name: str, found: Callable[..., Any], given: Mapping[str, Any]
) -> None:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # something built in: then calling it tells
        return
    varying = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    plain = [p for p in parameters if p.kind not in varying]
    known = {p.name for p in plain if p.kind is not inspect.Parameter.POSITIONAL_ONLY}
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    if (unknown := [each for each in given if each not in known]) and not takes_any:
        raise OptionError(
            f"{path}:{name} has no argument {', '.join(unknown)}; it takes "
            f"{', '.join(p.name for p in plain) or 'none'}"
        )
    required = [p.name for p in plain if p.default is p.empty and p.name not in given]
    if required:
        example = "{" + ", ".join(f'"{each}": …' for each in required) + "}"
        raise OptionError(
            f"{path}:{name} needs the arguments {', '.join(required)}: give them as --kwargs "
            f"'{example}', or name a function that takes none, such as "
            f"`def build(): return {name}(...)`"
        )


def _candidates(path: Path, content: ModuleType) -> str:
    """What of the file's own could be meant."""
    names = [
        name
        for name, value in vars(content).items()
        if not name.startswith("_")
        and (isinstance(value, nn.Module) or inspect.isfunction(value) or _is_module_class(value))
        and getattr(value, "__module__", content.__name__) == content.__name__
    ]
    instances = [name for name, value in vars(content).items() if isinstance(value, nn.Module)]
    known = list(dict.fromkeys([*names, *instances]))
    return f" It holds {', '.join(known)}: {path}:{known[0]}" if known else " It defines no module."


def _is_module_class(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _described(value: object) -> str:
    if value is None:
        return "nothing (None)"
    kind = type(value).__name__
    inner = ", ".join(type(part).__name__ for part in value) if isinstance(value, tuple) else ""
    return f"a {kind} of {inner}" if inner else f"a {kind}"
