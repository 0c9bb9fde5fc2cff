"""The errors of this package.

Every error derives from `LstmExportError` and from the built-in class that describes it, so both
`except LstmExportError` and `except ValueError` do what a reader expects::

    LstmExportError
    ├── OptionError (ValueError)            an option or argument that makes no sense
    ├── DataError (ValueError)              a table or a series that cannot be used
    ├── InputError (ValueError)             a feed that a model refuses
    ├── ContractError (ValueError)          a contract, manifest or graph that contradicts itself
    ├── CheckpointError (ValueError)        a run folder that cannot be read
    ├── BundleError (ValueError)            a bundle or ONNX file that cannot be read
    │   ├── ChecksumError                   its bytes are not those that were written
    │   └── NewerFormatError                it was written by a newer version
    ├── ExportError (RuntimeError)          a model that cannot be exported faithfully
    ├── ParityError (ArithmeticError)       numbers that disagree beyond the rule
    ├── OutputError (OSError)               an output that exists or cannot be written
    └── MissingExtraError (ImportError)     an optional part of the install is needed

A message says what was expected, what came, where, and what to do next.
"""

from __future__ import annotations


class LstmExportError(Exception):
    """Base of every error this package raises on purpose."""


class OptionError(LstmExportError, ValueError):
    """An option or argument that makes no sense, alone or beside another."""


class DataError(LstmExportError, ValueError):
    """A table, a column or a series that cannot be used as asked."""


class InputError(LstmExportError, ValueError):
    """A feed that a model refuses: a name, rank, dtype, width, length or value."""


class ContractError(LstmExportError, ValueError):
    """A contract, manifest or graph that is malformed or contradicts itself."""


class CheckpointError(LstmExportError, ValueError):
    """A run folder that is missing, damaged or of another format."""


class BundleError(LstmExportError, ValueError):
    """A bundle or ONNX file that is missing, damaged or not what it says."""


class ChecksumError(BundleError):
    """A file of a bundle whose bytes are not those that were written."""


class NewerFormatError(BundleError):
    """A bundle or checkpoint written by a newer version of this package."""


class ExportError(LstmExportError, RuntimeError):
    """A model that cannot be exported so that its numbers and axes hold."""


class ParityError(LstmExportError, ArithmeticError):
    """Numbers that disagree beyond the parity rule."""


class OutputError(LstmExportError, OSError):
    """An output that already exists or cannot be written."""


class MissingExtraError(LstmExportError, ImportError):
    """A part of the package that needs an extra which is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'lstm-export[{extra}]'"
        )
