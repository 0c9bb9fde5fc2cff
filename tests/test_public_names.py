"""The names that others build upon; a change here is a change for all of them."""

from __future__ import annotations

import inspect

import pytest

import lstm_export

NAMES = {
    *("ExportReport", "LstmExportError", "Settings", "__version__"),
    *("export_bundle", "export_onnx", "load", "verify"),
}
SIGNATURES = {
    "export_bundle": (
        "(source, path, *, args=None, kwargs=None, input_names=None, output_names=None, "
        "dynamic_axes=None, layers=None, key=None, allow_unused=False, expect=(), atol=None, "
        "target='portable', stream=None, force=False)"
    ),
    "export_onnx": (
        "(module, args, path, *, kwargs=None, input_names=None, output_names=None, "
        "dynamic_axes=None, target='portable', opset_version=18, ir_version=8, "
        "external_data=False, verify=True, atol=None, rtol=None)"
    ),
    "load": (
        "(path, *, providers=None, settings=None, intra_op_num_threads=None, on_nonfinite='raise')"
    ),
    "verify": "(bundle, *, against=None, runtimes=('onnxruntime',), atol=None, rtol=None)",
}


def test_the_public_names() -> None:
    assert set(lstm_export.__all__) == set(dir(lstm_export)) == NAMES
    assert sorted(lstm_export.__all__) == lstm_export.__all__


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_loads(name: str) -> None:
    assert getattr(lstm_export, name)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    signature = inspect.signature(getattr(lstm_export, name))
    assert inspect.Signature.empty not in [p.annotation for p in signature.parameters.values()]
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'export_bundel'"):
        lstm_export.export_bundel  # noqa: B018
