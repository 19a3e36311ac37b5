"""to_torch: a trained equivariant network as an ordinary one, to run it without gaugenet."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
"""Largest relative difference between a network and what it was converted to."""


def to_torch(network: nn.Module, x: Tensor) -> nn.Module:
    """Return the same function in evaluation mode, made of modules of `torch.nn` with plain kernels.

    A layer with a method `to_torch(x)` converts itself (`GridConv` to a `Conv2d`, `GridPool` to a depthwise one).
    Every other layer of gaugenet is traced into a `torch.fx.GraphModule` of PyTorch's operations. Other modules keep
    their class and get converted children. So a `Sequential` of layers is loaded without gaugenet::

        plain = to_torch(network, x)
        torch.save(plain, "network.pt")  # torch.load("network.pt", weights_only=False)

    as is a network of any class that was exported::

        torch.export.save(torch.export.export(plain, (x,)), "network.pt2")  # torch.export.load
        torch.onnx.export(plain, (x,), "network.onnx", dynamo=True)

    The weights of the result are free: training it further would lose the equivariance.

    Args:
        network: called as `network(x)`: with `GridConv`, not with `GaugeConv` and a domain.
        x: an example. The result accepts batches of any size, and images of other sizes unless a layer depends on the
            size (`GridPool` on whether it is even).

    Raises:
        ValueError: If a layer is called with a domain, or cannot be traced.
        RuntimeError: If the result differs from the network on the example.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GridConv, to_torch
        >>> conv = GridConv(FieldType(Cyclic(4), "1x0"), FieldType(Cyclic(4), "2xregular"), kernel_size=5)
        >>> to_torch(conv, torch.rand(1, 1, 9, 9))
        Conv2d(1, 8, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """
    plain = copy.deepcopy(network).eval()
    with torch.no_grad():
        expected = plain(x)
        examples = _inputs(plain, x)
        plain = _converted(plain, examples, {})
        _compare(plain(x), expected)
    return plain


def _inputs(network: nn.Module, x: Tensor) -> dict[nn.Module, tuple[Any, ...]]:
    """Return the arguments that each module is called with."""
    found: dict[nn.Module, tuple[Any, ...]] = {}

    def record(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        found.setdefault(module, arguments)

    handles = [module.register_forward_pre_hook(record) for module in network.modules()]
    try:
        network(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _converted(
    module: nn.Module, examples: dict[nn.Module, tuple[Any, ...]], done: dict[nn.Module, nn.Module]
) -> nn.Module:
    if module in done:
        return done[module]
    if not _is_ours(module) or _holds_converters(module):
        for name, child in module.named_children():
            setattr(module, name, _converted(child, examples, done))
        done[module] = _plain_container(module)
    else:
        done[module] = _converted_layer(module, examples, done)
    return done[module]


def _is_ours(module: nn.Module) -> bool:
    return type(module).__module__.partition(".")[0] == "gaugenet"


def _holds_converters(module: nn.Module) -> bool:
    return any(hasattr(child, "to_torch") for child in module.modules() if child is not module)


def _plain_container(module: nn.Module) -> nn.Module:
    """Return a plain `Sequential` for a subclass that adds nothing to calling it."""
    if _is_ours(module) and type(module).forward is nn.Sequential.forward:
        return nn.Sequential(OrderedDict(module.named_children()))
    return module


def _converted_layer(
    module: nn.Module, examples: dict[nn.Module, tuple[Any, ...]], done: dict[nn.Module, nn.Module]
) -> nn.Module:
    arguments = examples.get(module)
    if arguments is None:
        return nn.Identity()  # never called
    if len(arguments) != 1 or not isinstance(arguments[0], Tensor):
        raise ValueError(
            f"Expected layers that are called with features alone, but {type(module).__name__} is called with "
            f"{', '.join(type(a).__name__ for a in arguments)}: use `GridConv`, which needs no domain."
        )
    if hasattr(module, "to_torch"):
        try:
            plain = module.to_torch(arguments[0])  # type: ignore[operator]
        except NotImplementedError:
            return _traced(module, arguments[0])
        return _converted(plain, examples, done)  # it may contain a part of the layer, to be traced
    return _traced(module, arguments[0])


def _traced(module: nn.Module, x: Tensor) -> nn.Module:
    """Return the operations of a layer on features of any batch and spatial size."""
    from torch.fx import Graph, GraphModule
    from torch.fx.experimental.proxy_tensor import make_fx

    sizes = _distinct(x.dim() - 1, above=16, but=x.shape[1])
    example = x.new_zeros(sizes[0], x.shape[1], *sizes[1:]) + 0.5
    try:
        traced = make_fx(module, tracing_mode="symbolic", _allow_non_fake_inputs=True)(example)
    except Exception as error:
        raise ValueError(
            f"The operations of {type(module).__name__} cannot be traced ({type(error).__name__}: {error}): give it a "
            "method `to_torch(x)` that returns a module of `torch.nn`."
        ) from error
    graph = Graph()  # files name the tracer of a graph; that of `make_fx` needs what a new process has not loaded
    graph.output(graph.graph_copy(traced.graph, {}))
    for node in graph.nodes:
        node.meta.clear()  # the tracer's metadata cannot be saved
    return GraphModule(traced, graph, type(module).__name__).requires_grad_(False)


def _distinct(count: int, *, above: int, but: int) -> list[int]:
    """Return different small primes: the tracer identifies equal sizes, also with the number of channels."""
    found: list[int] = []
    n = above
    while len(found) < count:
        n += 1
        if n != but and all(n % k for k in range(2, int(n**0.5) + 1)):
            found.append(n)
    return found


def _compare(got: Tensor, expected: Tensor) -> None:
    error = (got - expected).abs().max() / expected.abs().max().clamp(min=1e-30) if expected.numel() else 0.0
    if not float(error) <= TOLERANCE.get(expected.dtype, 1e-2):
        raise RuntimeError(
            f"The converted network differs from the original by {float(error):.1e} on the example: check the "
            "`to_torch` of its layers, and that they are deterministic."
        )


__all__ = ["to_torch"]
