"""Functional transforms of PyTorch (`torch.func`) and forward mode: whether they are at work, and how to step outside.

Tensors that are made inside of a transform belong to it and must not outlive it, so whatever is cached is made outside.
PyTorch has no public name for either question; the private ones are asked here only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _disable_current_modes


def is_transformed() -> bool:
    """Return whether a functional transform or forward-mode differentiation is at work."""
    return bool(torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0)


def is_exported_to_onnx() -> bool:
    """Return whether the code is traced for ONNX, which has standard operators only.

    Asked while tracing only: PyTorch loads its exporter to answer.
    """
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return traced and torch.onnx.is_in_onnx_export()


def is_wrapped(t: Tensor) -> bool:
    """Return whether a tensor belongs to a functional transform."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(t))


@contextmanager
def outside_transforms() -> Iterator[None]:
    """Compute as if no transform, no tracer, no gradient and no inference mode were at work: for what is cached.

    So exporters, which put tensors without values in place of real ones, get constants. Dynamo reads the code instead
    of running it, and looks after itself.
    """
    with torch.inference_mode(False), torch.no_grad():
        if torch.compiler.is_dynamo_compiling():
            yield
            return
        with ExitStack() as stack:
            stack.enter_context(_disable_current_modes())
            if torch._C._are_functorch_transforms_active():
                stack.enter_context(temporarily_clear_interpreter_stack())
            yield


__all__ = ["is_exported_to_onnx", "is_transformed", "is_wrapped", "outside_transforms"]
