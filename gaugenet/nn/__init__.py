"""Gauge-equivariant layers: the same layer on every space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.nn._prepare import prepare_graph
    from gaugenet.nn.block import ResidualBlock
    from gaugenet.nn.chart_norm import ChartBatchNorm
    from gaugenet.nn.conv import GaugeConv
    from gaugenet.nn.dropout import FieldDropout
    from gaugenet.nn.embedding import HarmonicEmbedding
    from gaugenet.nn.engines import PreparedGraph, use_engine
    from gaugenet.nn.export import to_torch
    from gaugenet.nn.fourier import FourierNonlinearity
    from gaugenet.nn.global_pooling import GlobalPool
    from gaugenet.nn.grid_conv import GridConv, GridConvTranspose
    from gaugenet.nn.grid_pooling import GridPool
    from gaugenet.nn.hyperbolic.features import LorentzType
    from gaugenet.nn.hyperbolic.layers import (
        LorentzActivation,
        LorentzBatchNorm,
        LorentzConv,
        LorentzEmbedding,
        LorentzLinear,
        LorentzLog,
        LorentzMLR,
    )
    from gaugenet.nn.linear import EquivariantLinear, InvariantBias
    from gaugenet.nn.mlp import EquivariantMLP
    from gaugenet.nn.nonlinearity import (
        GatedNonlinearity,
        NormNonlinearity,
        PointwiseNonlinearity,
        VectorFieldNonlinearity,
    )
    from gaugenet.nn.normalization import FieldBatchNorm, FieldInstanceNorm, FieldLayerNorm
    from gaugenet.nn.pooling import Pool, Unpool
    from gaugenet.nn.readout import GroupPool, InvariantReadout, NormPool
    from gaugenet.nn.restrict import Restrict, ToIrreps
    from gaugenet.nn.tensor_product import TensorProductNonlinearity
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "ChartBatchNorm",
    "EquivariantLinear",
    "EquivariantMLP",
    "FieldBatchNorm",
    "FieldDropout",
    "FieldInstanceNorm",
    "FieldLayerNorm",
    "FourierNonlinearity",
    "GatedNonlinearity",
    "GaugeConv",
    "GlobalPool",
    "GridConv",
    "GridConvTranspose",
    "GridPool",
    "GroupPool",
    "HarmonicEmbedding",
    "InvariantBias",
    "InvariantReadout",
    "LorentzActivation",
    "LorentzBatchNorm",
    "LorentzConv",
    "LorentzEmbedding",
    "LorentzLinear",
    "LorentzLog",
    "LorentzMLR",
    "LorentzType",
    "NormNonlinearity",
    "NormPool",
    "PointwiseNonlinearity",
    "Pool",
    "PreparedGraph",
    "ResidualBlock",
    "Restrict",
    "TensorProductNonlinearity",
    "ToIrreps",
    "Unpool",
    "VectorFieldNonlinearity",
    "prepare_graph",
    "to_torch",
    "use_engine",
]
