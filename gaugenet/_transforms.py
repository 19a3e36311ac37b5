"""Functional transforms of PyTorch (`torch.func`) and forward mode: detect them, and compute outside of them.

Tensors that are made inside a transform belong to it and must not outlive it, so cached tensors are made outside.
PyTorch has no public functions for this; the private ones are used in this file only.
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
    """Return whether a functional transform or forward-mode differentiation is active."""
    return bool(torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0)


def is_exported_to_onnx() -> bool:
    """Return whether the code is traced for ONNX, which has standard operators only.

    Call it only while tracing, because PyTorch loads its exporter to answer.
    """
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return traced and torch.onnx.is_in_onnx_export()


def is_wrapped(t: Tensor) -> bool:
    """Return whether a tensor belongs to a functional transform."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(t))


def is_batched(t: Tensor) -> bool:
    """Return whether a tensor stands for a batch: in `torch.vmap`, or a gradient with `is_grads_batched`."""
    return is_wrapped(t) or bool(torch._C._functorch.is_legacy_batchedtensor(t))


@contextmanager
def outside_transforms() -> Iterator[None]:
    """Suspend transforms, tracing, gradients and inference mode within the block, for tensors that are cached.

    So exporters, which replace real tensors by tensors without values, get constants. Dynamo reads the code instead
    of running it, and needs no such help.
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


def version_of(t: Tensor) -> int:
    """Return a number that changes whenever a tensor is written to."""
    return -1 if t.is_inference() else t._version


__all__ = ["is_batched", "is_exported_to_onnx", "is_transformed", "is_wrapped", "outside_transforms", "version_of"]
