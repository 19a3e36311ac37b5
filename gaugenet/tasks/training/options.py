"""Options of a training that are neither the network's nor the data's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gaugenet.tasks.training.schedule import Schedule

if TYPE_CHECKING:
    import torch

Corners = Literal["probabilities", "logits"]
"""How vertex scores become face probabilities, see `gaugenet.tasks.face_log_probabilities`."""


OWN_TRAINER_ARGUMENTS = frozenset(
    {
        "callbacks",
        "default_root_dir",
        "enable_checkpointing",
        "enable_progress_bar",
        "enable_model_summary",
        "use_distributed_sampler",
        "num_sanity_val_steps",
        "gradient_clip_val",
        "gradient_clip_algorithm",
        "limit_val_batches",
    }
)
"""Arguments of Lightning's trainer that are set here and cannot be chosen."""


class TaskError(ValueError):
    """A training or evaluation that cannot continue; the message says why and what to do."""


@dataclass(frozen=True)
class OptimOptions:
    """Options of the optimizer.

    Attributes:
        lr: largest learning rate of AdamW.
        weight_decay: decoupled weight decay, on weight matrices only.
        schedule: course of the learning rate: one_cycle, cosine or constant.
        warmup: share of the training in which the rate rises.
        clip: largest norm of the gradient; 0 does not clip.
        smoothing: label smoothing in [0, 1).
        ema: decay of the averaged weights that are validated and saved, per step; 0 does not average.
        patience: stop after this number of epochs without better validation; 0 never stops early.
        loss_on: items compares with the labels as given; vertices compares labels of faces with their shares around
            each vertex.
        corners: how vertex scores become face probabilities: average of probabilities or of logits.
        label_flow: distance over which predicted probabilities of faces flow to their neighbours, over the square root
            of the area of a mesh; 0 for none. Only predictions and evaluations use it.
    """

    lr: float = 2e-3
    weight_decay: float = 1e-2
    schedule: Schedule = "one_cycle"
    warmup: float = 0.1
    clip: float = 1.0
    smoothing: float = 0.1
    ema: float = 0.995
    patience: int = 0
    loss_on: Literal["items", "vertices"] = "items"
    corners: Corners = "probabilities"
    label_flow: float = 0.0

    def __post_init__(self) -> None:
        check(self.lr > 0, "optim.lr", "positive", self.lr)
        check(self.weight_decay >= 0, "optim.weight_decay", "at least 0", self.weight_decay)
        check(0 <= self.warmup < 1, "optim.warmup", "in [0, 1)", self.warmup)
        check(self.clip >= 0, "optim.clip", "at least 0", self.clip)
        check(0 <= self.smoothing < 1, "optim.smoothing", "in [0, 1)", self.smoothing)
        check(0 <= self.ema < 1, "optim.ema", "in [0, 1)", self.ema)
        check_label_flow(self.label_flow, "optim.label_flow")
        check(self.patience >= 0, "optim.patience", "at least 0", self.patience)


def check(valid: bool, name: str, expected: str, value: float) -> None:
    """Raise `TaskError` naming the option unless `valid`."""
    if not valid:
        raise TaskError(f"Expected `{name}` {expected}, got {value}.")


def check_label_flow(width: float, name: str = "label_flow") -> None:
    """Raise `TaskError` naming the option unless probabilities flow over less than the size of the mesh."""
    check(0 <= width < 1, name, "in [0, 1)", width)


def device_of(name: str | None) -> torch.device:
    """Return the device of this name; by default a GPU if there is one.

    Raises:
        TaskError: If this PyTorch cannot use the device here.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # of PyTorch, for names and for devices that are missing
        reason = str(error).partition("\n")[0].rstrip(".")
        raise TaskError(f"Cannot use the device {name!r}: {reason}. Use 'cpu', or install a PyTorch for it.") from None


def use_threads(threads: int | None) -> None:
    """Set the CPU threads of torch, if a number is given.

    Raises:
        TaskError: If the number is below one.
    """
    if threads is not None:
        import torch

        if threads < 1:
            raise TaskError(f"Expected at least one thread, got {threads}.")
        torch.set_num_threads(threads)
