"""The graph that is explained, with its contract: of a bundle, or of an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx, read_onnx
from lstm_export.bundle.read import open_bundle, read_file
from lstm_export.contract import METADATA_KEY, Contract
from lstm_export.errors import BundleError


@dataclass(frozen=True, slots=True)
class Source:
    """`model.onnx`: its bytes, what they say, and what they promise."""

    where: str
    body: bytes
    model: OnnxFile
    contract: Contract
    rows_are_independent: bool
    """Whether each row of a batch has the outputs that it has alone."""


def open_source(path: Path) -> Source:
    """The model at `path`, its checksum compared where it lies in a bundle.

    Raises BundleError, ChecksumError, NewerFormatError or ContractError if it cannot be read, and
    BundleError where its weights lie in other files: they cannot follow into the copies of the
    graph that are made here.
    """
    if path.is_dir():
        bundle = open_bundle(path)
        where = bundle.where(LAYOUT.model)
        body = bundle.read(LAYOUT.model)
        model = parse_onnx(body, where)
        contract = bundle.manifest.contract(LAYOUT.model)
        independent = bundle.manifest.rows_are_independent
    elif path.exists():
        where = str(path)
        model, body = read_onnx(path), read_file(where)
        text = model.metadata_props.get(METADATA_KEY)
        contract = (
            Contract("module", model.spec) if text is None else Contract.from_json(text, where)
        )
        independent = contract.task != "module"
    else:
        raise BundleError(f"there is no bundle or ONNX file at {path}")
    if model.external_files:
        raise BundleError(
            f"{where}: its weights are in {', '.join(model.external_files)}; explain takes models "
            "whose weights are in the ONNX file itself (those below 2 GB): export it so"
        )
    return Source(where, body, model, contract, independent)
