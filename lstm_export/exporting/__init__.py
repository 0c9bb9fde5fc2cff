"""From a torch module to ONNX.

`export.export_onnx` and `bundle.export_bundle` are the ways in. A module goes through `tracing`
(with `capture` for what torch cannot trace, `audit` for what must not be exported, `rolling` for
time loops), `translate`, `lowering`, `graph` and `verify`; `unchanged` gives it back as it was.
"""
