"""How a run was trained: its losses, the model's facts and every option."""

from __future__ import annotations

from pathlib import Path

from lstm_export.checkpoint import Description
from lstm_export.report.losses_figure import losses_figure
from lstm_export.report.page import Block, Code, Facts, Section, plot
from lstm_export.report.run_files import read_losses, read_options
from lstm_export.report.svg import drawing_style


def training_section(
    run: Path, description: Description, facts: Facts, loss: str = "loss (scaled units, squared)"
) -> Section:
    """`loss` says what the loss is. Raises CheckpointError if a file of the run is damaged."""
    best_epoch = description.metrics.get("best_epoch")
    losses = read_losses(run, best_epoch)
    blocks: list[Block] = []
    if losses is not None:
        with drawing_style():
            alt = f"Training and validation loss over {len(losses.epochs)} epochs, log scale."
            if best_epoch is not None:
                alt += f" The best epoch is {best_epoch}."
            caption = "The weights of the best epoch on the validation part were kept."
            figure = losses_figure(losses, loss)
            blocks.append(plot(figure, "losses", caption, alt=alt, wide=False))
    blocks.append(facts)
    if (options := read_options(run)) is not None:
        blocks.append(Code(options[0].strip(), "Every option of this run (run.toml)"))
    return Section("Model and training", "", blocks, beside=losses is not None)
