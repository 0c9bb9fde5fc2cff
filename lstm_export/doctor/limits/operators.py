"""Limits of loops and of the operators that surround recurrent layers."""

from __future__ import annotations

from lstm_export.doctor import surroundings
from lstm_export.doctor.constructs import operator
from lstm_export.doctor.limits.known import ONNXRUNTIMES, OPENVINO, Limit, Outcome

_FUSED = "write the loop with nn.LSTM, nn.GRU or nn.RNN, which need none"

LIMITS = (
    Limit(
        "Loop",
        operator("Loop"),
        _FUSED,
        (
            Outcome("silently wrong", "opencv", "what a step gives comes with two axes too many"),
            Outcome("silently wrong", "onnx-reference", "steps are concatenated, not stacked"),
            Outcome("crashes", "mnn", "the process ends"),
            Outcome("refuses", "tract onnxruntime-openvino iree", "it is not implemented"),
        ),
    ),
    Limit(
        "a Loop's output left out",
        surroundings.unnamed_loop_output,
        "name every output of the Loop",
        (
            Outcome(
                "crashes",
                "onnxruntime onnxruntime-node c",
                "the first run is a segmentation fault",
            ),
            Outcome("refuses", "onnxruntime-web chromium", "the first run fails"),
        ),
    ),
    Limit(
        "Scan",
        operator("Scan"),
        _FUSED,
        (Outcome("refuses", "opencv", "the operator is not implemented"),),
    ),
    Limit(
        "a Scan's output left out",
        surroundings.unnamed_scan_output,
        "name every output of the Scan",
        (Outcome("refuses", f"{ONNXRUNTIMES} onnxruntime-openvino tract", "loading fails"),),
    ),
    Limit(
        "a Scan whose body leaves out what is scanned",
        surroundings.idle_scan,
        "use model.onnx or stream.onnx there, step by step",
        (
            Outcome("silently wrong", OPENVINO, "one step is run of all, or the graph refused"),
            Outcome("refuses", "tract", "loading fails"),
        ),
    ),
    Limit(
        "a Slice whose bounds are fed",
        surroundings.fed_slice,
        "cut the output behind the call instead",
        (Outcome("refuses", "tract", "runs fail at nearly every length"),),
    ),
    Limit(
        "a MatMul with a vector",
        surroundings.vector_matmul,
        "make the vector a matrix of one column",
        (Outcome("refuses", "opencv", "the second factor needs two axes"),),
    ),
    Limit(
        "a MatMul with a stored stack of matrices",
        surroundings.stored_matmul,
        "store a matrix of two axes, or compute the factor",
        (Outcome("silently wrong", "opencv", "off by 1 and more, or NaN, or the process ends"),),
    ),
    Limit(
        "attention",
        surroundings.attention,
        "never run it on a single key, or open the model anew after that",
        (
            Outcome(
                "silently wrong",
                f"{OPENVINO} onnxruntime-openvino",
                "once it ran over a single key, every later answer is off by 1 and more",
            ),
        ),
    ),
    Limit(
        "a GELU of Div and Erf",
        surroundings.erf_gelu,
        "multiply by 1/sqrt(2) instead of dividing by sqrt(2), or use the operator Gelu",
        (Outcome("crashes", "opencv", "loading ends the process"),),
    ),
    Limit(
        "a Pad of computed sizes",
        surroundings.computed_pad,
        "gather the steps that there are, or pad by a stored number",
        (Outcome("refuses", "tract", "loading fails"),),
    ),
    Limit(
        "ReverseSequence",
        operator("ReverseSequence"),
        "export with target=portable, which reverses by GatherElements",
        (Outcome("refuses", "opencv tract iree", "the operator is not implemented"),),
    ),
    Limit(
        "GatherND",
        operator("GatherND"),
        "gather with GatherElements",
        (Outcome("refuses", "iree", "the operator does not compile"),),
    ),
    Limit(
        "ConstantOfShape without a value",
        surroundings.zeros_without_dtype,
        "give it a float32 value",
        (
            Outcome("refuses", "tract", "its zeros are taken as float64"),
            Outcome("refuses", "opencv", "the first run fails"),
        ),
    ),
    Limit(
        "an input or output of unknown rank",
        surroundings.unknown_rank,
        "give every graph input and output a shape, with names for dynamic axes",
        (Outcome("refuses", "opencv", "loading fails"),),
    ),
)
