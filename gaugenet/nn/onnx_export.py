"""export_onnx: a network, its graph included, as an ONNX file of standard operators."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from gaugenet.nn._prepare import prepare_graph
from gaugenet.nn.compiled.eager import array
from gaugenet.nn.engines.prepared import PreparedGraph

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


def export_onnx(
    network: nn.Module,
    x: Float[Tensor, "..."],
    path: str | os.PathLike[str],
    graph: GaugeGraph | PreparedGraph | None = None,
) -> None:
    """Write a network in evaluation mode as an ONNX file, for runtimes without PyTorch and gaugenet.

    The file accepts batches of any size for networks on grids and icospheres. For networks on graphs it accepts any
    number of points and edges, and the number of graphs that `graph` has. `onnx_inputs` makes its inputs::

        export_onnx(network, x, "network.onnx", graph)
        session = onnxruntime.InferenceSession("network.onnx")
        (logits,) = session.run(None, onnx_inputs(x, prepare_graph(network, x, other_graph)))

    `torch.onnx.export(network, (x, prepared), dynamo=True)` writes the same operators, for graphs of one size.

    Args:
        network: called as `network(x)`, or `network(x, graph)`.
        x: an example.
        path: the file to write.
        graph: an example of a graph, or the result of `prepare_graph` for it.

    Raises:
        ValueError: If `graph` has another type.
    """
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        arguments = _arguments(network, x, graph)
        torch.onnx.export(
            network,
            arguments,
            os.fspath(path),
            dynamo=True,
            verbose=False,
            input_names=list(_tensors(*arguments)),
            dynamic_shapes=_dynamic_shapes(network, arguments),
        )
    finally:
        for module in training:
            module.training = True


def onnx_inputs(x: Float[Tensor, "..."], prepared: PreparedGraph | None = None) -> dict[str, ndarray]:
    """Return the inputs of a file of `export_onnx` by name: features, and the tensors of a prepared graph.

    Example:
        >>> import torch
        >>> from gaugenet.nn import onnx_inputs
        >>> list(onnx_inputs(torch.rand(2, 3, 9, 9)))
        ['x']
    """
    return {name: array(t) for name, t in _tensors(x, *[] if prepared is None else [prepared]).items()}


def _arguments(network: nn.Module, x: Tensor, graph: GaugeGraph | PreparedGraph | None) -> tuple[Any, ...]:
    if graph is None:
        return (torch.cat([x, x]) if x.dim() > 2 and x.shape[0] == 1 else x,)  # a batch of one would be fixed to one
    if isinstance(graph, PreparedGraph):
        return x, graph
    from gaugenet.geometry.gauge_graph import GaugeGraph

    if not isinstance(graph, GaugeGraph):
        raise ValueError(
            f"Expected `graph` to be a GaugeGraph or a result of `prepare_graph`, got {type(graph).__name__}: pass "
            "`domain.gauge_graph()`, or no graph for networks on grids and icospheres."
        )
    return x, prepare_graph(network, x, graph)


def _tensors(*arguments: Any) -> dict[str, Tensor]:
    """Return the tensors by short names, made from their places in the arguments."""
    found, _ = pytree.tree_flatten_with_path(arguments)
    return {_name(arguments, path): leaf for path, leaf in found if isinstance(leaf, Tensor)}


def _name(arguments: tuple[Any, ...], path: tuple[Any, ...]) -> str:
    words: list[str] = ["graph"]
    value: Any = arguments[path[0].idx]
    for key in path[1:]:
        if isinstance(key, pytree.MappingKey):  # the keys of factors are long: use their number
            words.append(str(list(value).index(key.key)))
        else:
            words.append(str(key.name if isinstance(key, pytree.GetAttrKey) else key.idx))
        value = key.get(value)
    return ".".join(words) if len(path) > 1 else "x"


def _dynamic_shapes(network: nn.Module, arguments: tuple[Any, ...]) -> Any:
    shapes, any_size = torch.export.ShapesCollection(), {0: torch.export.Dim.DYNAMIC}
    for name, tensor in _tensors(*arguments).items():
        if not name.endswith(".blocks") and (len(arguments) > 1 or tensor.dim() > 2):
            shapes[tensor] = any_size
    return shapes.dynamic_shapes(network, arguments)


__all__ = ["export_onnx", "onnx_inputs"]
