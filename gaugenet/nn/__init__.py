"""Gauge-equivariant layers: the same layer on every space."""

from gaugenet.nn.block import ResidualBlock
from gaugenet.nn.conv import GaugeConv
from gaugenet.nn.dropout import FieldDropout
from gaugenet.nn.engines import PreparedGraph, use_engine
from gaugenet.nn.grid_conv import GridConv, GridConvTranspose
from gaugenet.nn.linear import EquivariantLinear, InvariantBias
from gaugenet.nn.nonlinearity import FourierNonlinearity, Gated, NormNonlinearity, PointwiseNonlinearity
from gaugenet.nn.normalization import FieldInstanceNorm, FieldLayerNorm
from gaugenet.nn.pooling import GlobalPool, Pool, Unpool
from gaugenet.nn.prepare import prepare
from gaugenet.nn.readout import InvariantReadout

__all__ = [
    "EquivariantLinear",
    "FieldDropout",
    "FieldInstanceNorm",
    "FieldLayerNorm",
    "FourierNonlinearity",
    "Gated",
    "GaugeConv",
    "GlobalPool",
    "GridConv",
    "GridConvTranspose",
    "InvariantBias",
    "InvariantReadout",
    "NormNonlinearity",
    "PointwiseNonlinearity",
    "Pool",
    "PreparedGraph",
    "ResidualBlock",
    "Unpool",
    "prepare",
    "use_engine",
]
