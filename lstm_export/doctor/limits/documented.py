"""What was read in documentation, of runtimes that nobody ran here: never measured, and said so."""

from __future__ import annotations

from lstm_export.doctor import constructs, surroundings
from lstm_export.doctor.constructs import operator, recurrent_in
from lstm_export.doctor.limits.known import Limit, Outcome

TENSORRT = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"
TRITON = (
    "https://github.com/triton-inference-server/server/blob/main/docs/user_guide/"
    "model_configuration.md"
)
MATLAB = "https://www.mathworks.com/help/deeplearning/ref/importnetworkfromonnx.html"

LIMITS = (
    Limit(
        "an operator of onnxruntime's own",
        operator("DynamicQuantizeLSTM", "com.microsoft"),
        "use the float32 file here",
        (Outcome("refuses", "tensorrt", "it is not in the list of operators", source=TENSORRT),),
    ),
    Limit(
        "float64 where float32 is computed",
        recurrent_in("float64"),
        "export it in float32, as export_onnx does with a float64 module",
        (Outcome("inexact", "tensorrt", "it is cast down to float32", source=TENSORRT),),
    ),
    Limit(
        "an input without axes",
        surroundings.scalar_input,
        "serve model.onnx or stream.onnx",
        (
            Outcome(
                "refuses", "triton", "every input and output needs at least one axis", source=TRITON
            ),
        ),
    ),
    Limit(
        "a batch that is not the first axis",
        surroundings.batch_not_first,
        "set max_batch_size to 0, and put requests together yourself",
        (
            Outcome(
                "slow",
                "triton",
                "requests are put together along the first axis of every tensor only",
                source=TRITON,
            ),
        ),
    ),
    Limit(
        "operators that become layers",
        constructs.any_recurrent,
        "verify the imported network with the bundle's golden values",
        (
            Outcome(
                "converts",
                "matlab",
                "the graph is imported as layers, where there is no such layer as generated code",
                source=MATLAB,
            ),
        ),
    ),
)
