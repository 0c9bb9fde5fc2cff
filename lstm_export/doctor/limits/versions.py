"""Limits of file and operator-set versions, and of how weights are stored."""

from __future__ import annotations

from lstm_export.doctor.constructs import external_data, ir_from, opset_from
from lstm_export.doctor.limits.known import ONNXRUNTIMES, Limit, Outcome

_BUILT_ON_ORT = f"{ONNXRUNTIMES} onnxruntime-openvino"
# The first release that loads an LSTM of the opset, or a file of the IR version; each was tried
# against the release before.
_OPSETS = {19: (1, 16), 20: (1, 17), 21: (1, 18), 22: (1, 21), 23: (1, 23)}
_IRS = {10: (1, 18), 11: (1, 23)}


def _older(what: str, since: tuple[int, ...]) -> tuple[Outcome, ...]:
    release = ".".join(str(part) for part in since)
    detail = f"{what} needs onnxruntime {release}"
    return (Outcome("older releases refuse", _BUILT_ON_ORT, detail, since),)


LIMITS = (
    *(
        Limit(
            f"opset {version}",
            opset_from(version, version + 1 if version + 1 in _OPSETS else None),
            "export with opset_version=18",
            _older(f"opset {version}", since),
        )
        for version, since in _OPSETS.items()
    ),
    *(
        Limit(
            f"IR version {version}",
            ir_from(version, version + 1 if version + 1 in _IRS else None),
            "export with ir_version=8",
            _older(f"IR version {version}", since),
        )
        for version, since in _IRS.items()
    ),
    Limit(
        "weights in another file",
        external_data,
        "pass the files in the session option externalData, or export with external_data=False",
        (
            Outcome(
                "refuses",
                "onnxruntime-web chromium",
                "a page cannot open the file beside the model",
            ),
        ),
    ),
)
