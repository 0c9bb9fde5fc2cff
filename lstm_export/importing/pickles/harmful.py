"""Names that a pickle of weights has no use for, and one that was made to run something has.

Nothing in a pickle is executed here, whatever it names; but who made a file that starts a program
when somebody else loads it has not made a file of weights. Names of unknown classes are none of
these: whole modules, configurations and dates are full of them.
"""

from __future__ import annotations

# Only packages whose names nobody gives to code of their own: a model may well be test.Net.
_PACKAGES = frozenset(
    (
        # the system, other programs, other processes
        *("os", "posix", "nt", "subprocess", "pty", "shutil", "_posixsubprocess", "_winapi"),
        *("ctypes", "_ctypes", "cffi", "mmap", "multiprocessing", "asyncio", "_thread", "winreg"),
        *("webbrowser", "tempfile", "fileinput"),
        # the network
        *("socket", "_socket", "ssl", "http", "urllib", "urllib2", "httplib", "requests"),
        *("ftplib", "smtplib", "telnetlib", "xmlrpc", "socketserver", "aiohttp", "httpx"),
        # other code, other pickles
        *("sys", "runpy", "imp", "importlib", "pkgutil", "zipimport", "codeop", "timeit"),
        *("pdb", "bdb", "cProfile", "pydoc", "doctest", "pip", "ensurepip", "distutils"),
        *("setuptools", "idlelib", "lib2to3"),
        *("pickle", "_pickle", "cPickle", "marshal", "shelve"),
    )
)
_BUILTINS = frozenset(
    (
        *("eval", "exec", "execfile", "compile", "open", "file", "input", "raw_input"),
        *("__import__", "__builtins__", "reload", "apply", "breakpoint", "exit", "quit", "help"),
        *("globals", "locals", "vars", "delattr", "setattr"),
    )
)
_NAMES = frozenset(
    (
        *("types.FunctionType", "types.CodeType", "io.open", "io.FileIO", "_io.open", "_io.FileIO"),
        *("codecs.open", "operator.methodcaller", "commands.getoutput", "signal.raise_signal"),
        *("commands.getstatusoutput", "code.interact", "code.InteractiveInterpreter"),
        *("code.InteractiveConsole", "trace.Trace", "profile.run", "profile.runctx"),
        *("numpy.load", "numpy.loads", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile"),
        *("numpy.memmap", "numpy.save", "numpy.savez", "numpy.savetxt", "numpy.DataSource"),
        *("torch.load", "torch.save", "torch.serialization.load", "torch.serialization.save"),
    )
)
_BENEATH = (
    *("numpy.testing", "numpy.f2py", "numpy.distutils", "numpy.ctypeslib", "numpy.lib.npyio"),
    *("numpy.lib.format", "torch.hub", "torch.package", "pandas.io"),
    *("torch.utils.cpp_extension", "torch.multiprocessing", "torch.jit._serialization"),
    "torch.jit.unsupported_tensor_ops",
)


def is_harmful(module: str, name: str) -> bool:
    """Whether `module.name`, called, could run code or reach beyond the process."""
    if module.partition(".")[0] in _PACKAGES:
        return True
    if module in ("builtins", "__builtin__"):
        return name.partition(".")[0] in _BUILTINS
    if any(module == each or module.startswith(f"{each}.") for each in _BENEATH):
        return True
    return f"{module}.{name}" in _NAMES
