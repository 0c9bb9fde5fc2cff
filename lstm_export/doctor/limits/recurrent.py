"""Limits of the recurrent operators: LSTM, GRU, RNN and their quantised kin."""

from __future__ import annotations

from lstm_export.doctor import constructs
from lstm_export.doctor.constructs import operator, recurrent_in
from lstm_export.doctor.limits.known import ONNXRUNTIMES, OPENVINO, Limit, Outcome

_SPELT_OUT = "export with target=portable, which spells out zero states and names every output"
_ELSEWHERE = "run it in onnxruntime"
_TIME_MAJOR = "transpose around the operator, as lstm_export's graphs do"

LIMITS = (
    Limit(
        "sequence_lens",
        constructs.sequence_lens,
        "export with target=portable, which reverses ragged sequences by index",
        (
            Outcome(
                "silently wrong",
                f"{OPENVINO} onnxruntime-openvino mnn iree onnx-reference",
                "the lengths are ignored: shorter sequences are off by about 0.5",
            ),
            Outcome(
                "silently wrong",
                "opencv",
                "the lengths are ignored (off by about 0.5), or refused if the states are left out",
            ),
            Outcome("refuses", "tract", "only constant lengths are supported"),
        ),
    ),
    Limit(
        "direction=reverse",
        constructs.reverse,
        "reverse the sequence around a forward operator, or use both directions",
        (Outcome("silently wrong", "tract", "time runs forward: off by about 0.6"),),
    ),
    Limit(
        "direction=reverse in a GRU",
        constructs.reverse_gru,
        "reverse the sequence around a forward operator, or use both directions",
        (Outcome("silently wrong", "opencv", "time runs forward: off by about 0.6"),),
    ),
    Limit(
        "an initial state left out",
        constructs.no_initial_state,
        _SPELT_OUT,
        (Outcome("crashes", "tract", "loading ends the process where the batch is dynamic"),),
    ),
    Limit(
        "a GRU's initial state left out",
        constructs.gru_without_initial_state,
        _SPELT_OUT,
        (Outcome("refuses", "opencv", "the second batch size is refused"),),
    ),
    Limit(
        "zero states that are sliced",
        constructs.sliced_zero_states,
        "make zeros for each layer, and join those of two directions by Concat, or feed the states",
        (Outcome("refuses", "tract", "batches above 1 fail at run"),),
    ),
    Limit(
        "an LSTM's output left out",
        constructs.unnamed_lstm_output,
        _SPELT_OUT,
        (Outcome("refuses", "mnn", "LSTM nodes run only with all three outputs named"),),
    ),
    Limit(
        "a GRU's output left out",
        constructs.unnamed_gru_output,
        _SPELT_OUT,
        (Outcome("refuses", "opencv", "the first output has the wrong number of directions"),),
    ),
    Limit(
        "a bias left out",
        constructs.no_bias,
        "give a bias of zeros",
        (Outcome("refuses", "opencv", "the first run fails"),),
    ),
    Limit(
        "layout=1",
        constructs.batch_major,
        _TIME_MAJOR,
        (
            Outcome("refuses", ONNXRUNTIMES, "recurrent operators are time-major only"),
            Outcome("silently wrong", OPENVINO, "the outputs come in another shape"),
            Outcome("crashes", "tract", "loading ends the process"),
            Outcome("refuses", "opencv", "the first run fails"),
        ),
    ),
    Limit(
        "GRU",
        operator("GRU"),
        "use an LSTM for this runtime",
        (Outcome("refuses", "iree", "the operator does not compile"),),
    ),
    Limit(
        "RNN",
        operator("RNN"),
        "use an LSTM or a GRU for this runtime",
        (Outcome("refuses", "opencv", "the operator is not implemented"),),
    ),
    Limit(
        "an RNN's activation",
        constructs.other_rnn_activation,
        "train with tanh, or run it in onnxruntime or OpenVINO",
        (
            Outcome("silently wrong", "tract", "ReLU is ignored, tanh computed: off by 1 and more"),
            Outcome("refuses", "onnx-reference", "Tanh and Affine are the only ones known"),
        ),
    ),
    Limit(
        "activations other than sigmoid and tanh",
        constructs.other_activations,
        _ELSEWHERE,
        (
            Outcome(
                "silently wrong",
                "tract onnx-reference",
                "they are ignored: off by up to 0.9 with ReLU",
            ),
            Outcome("refuses", "opencv", "loading fails"),
        ),
    ),
    Limit(
        "clip",
        constructs.clipped,
        _ELSEWHERE,
        (Outcome("silently wrong", "opencv tract onnx-reference", "the bound is ignored"),),
    ),
    Limit(
        "input_forget=1",
        constructs.coupled_gates,
        _ELSEWHERE,
        (
            Outcome(
                "silently wrong",
                f"{OPENVINO} onnxruntime-openvino opencv tract onnx-reference",
                "the gates are not coupled: off by about 0.2",
            ),
        ),
    ),
    Limit(
        "peephole weights",
        constructs.peephole,
        _ELSEWHERE,
        (Outcome("silently wrong", f"{OPENVINO} onnxruntime-openvino opencv", "off by about 0.1"),),
    ),
    Limit(
        "float64 recurrence",
        recurrent_in("float64"),
        "export it in float32, as export_onnx does with a float64 module",
        (
            Outcome(
                "refuses",
                f"{ONNXRUNTIMES} onnxruntime-openvino tract",
                "LSTM, GRU and RNN are float32 only",
            ),
            Outcome("silently wrong", "opencv", "an LSTM is off by about 0.5, a GRU is refused"),
        ),
    ),
    Limit(
        "float16 recurrence",
        recurrent_in("float16"),
        "disable that optimizer, or keep float32: float16 is no faster here",
        (
            Outcome(
                "crashes",
                ONNXRUNTIMES,
                "some graphs end the process at the default optimisation level (1.31.1, in "
                "FuseFp16InitializerToFp32NodeTransformer)",
            ),
        ),
    ),
    Limit(
        "DynamicQuantizeLSTM",
        operator("DynamicQuantizeLSTM", "com.microsoft"),
        "use the float32 file here",
        (
            Outcome(
                "refuses",
                "opencv tract mnn iree onnx-reference",
                "the operator is onnxruntime's own",
            ),
            Outcome("slow", "onnxruntime-web chromium", "right, but slower than float32"),
        ),
    ),
    Limit(
        "LSTM weights that nodes compute",
        constructs.computed_weights,
        "export it with lstm_export, which stores weights as initializers",
        (
            Outcome(
                "slow",
                "onnxruntime",
                "quantize_dynamic passes over such an LSTM: an int8 file is as slow as before",
            ),
        ),
    ),
    Limit(
        "bfloat16 by default",
        constructs.any_recurrent,
        "compile the model with INFERENCE_PRECISION_HINT=f32",
        (
            Outcome(
                "inexact",
                OPENVINO,
                "CPUs that have bfloat16 compute in it: errors of 5e-4 to 5e-3",
            ),
        ),
    ),
    Limit(
        "gates that do not quite close",
        constructs.any_recurrent,
        "compare with a bound of 1e-5 there, or run it in onnxruntime",
        (
            Outcome(
                "inexact",
                "tract",
                "gates saturate at 1 - 5e-7, so that a state which is held fades by that each step",
            ),
        ),
    ),
)
