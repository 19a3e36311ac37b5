"""Gauge-equivariant layers: the same layer on every space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.nn._prepare import prepare_graph
    from gaugenet.nn.attention import GaugeAttention
    from gaugenet.nn.attention_block import AttentionBlock
    from gaugenet.nn.block import ResidualBlock
    from gaugenet.nn.chart_norm import ChartBatchNorm
    from gaugenet.nn.clifford.attention import MultivectorAttention
    from gaugenet.nn.clifford.gate import InvariantGate
    from gaugenet.nn.clifford.geometric_product import GeometricProduct
    from gaugenet.nn.clifford.grade_dropout import GradeDropout
    from gaugenet.nn.clifford.norm import MultivectorNorm
    from gaugenet.nn.clifford.pair_product import PairProduct
    from gaugenet.nn.clifford.profile import RadialNetwork, with_radial_network
    from gaugenet.nn.clifford.readout import MultivectorReadout
    from gaugenet.nn.conv import GaugeConv
    from gaugenet.nn.dropout import FieldDropout
    from gaugenet.nn.embedding import HarmonicEmbedding
    from gaugenet.nn.engines import PreparedGraph, use_engine
    from gaugenet.nn.export import to_torch
    from gaugenet.nn.field_product import TensorProduct
    from gaugenet.nn.fourier import FourierNonlinearity
    from gaugenet.nn.global_pooling import GlobalPool
    from gaugenet.nn.grid_conv import GridConv, GridConvTranspose
    from gaugenet.nn.grid_pooling import GridPool
    from gaugenet.nn.grid_upsample import GridUpsample
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
    from gaugenet.nn.lattice.bilinear import LatticeBilinear, LatticeBlock
    from gaugenet.nn.lattice.blocking import LatticePool, LatticeUnpool, blocked
    from gaugenet.nn.lattice.fields import matrix_type
    from gaugenet.nn.lattice.link_update import LinkUpdate
    from gaugenet.nn.lattice.loop_features import LoopFeatures
    from gaugenet.nn.lattice.traces import TraceActivation, TraceNorm, TraceReadout
    from gaugenet.nn.linear import EquivariantLinear, InvariantBias
    from gaugenet.nn.message_passing import GaugeMessagePassing
    from gaugenet.nn.mlp import EquivariantMLP
    from gaugenet.nn.nonlinearity import (
        GatedNonlinearity,
        NormNonlinearity,
        PointwiseNonlinearity,
        VectorFieldNonlinearity,
    )
    from gaugenet.nn.normalization import FieldBatchNorm, FieldInstanceNorm, FieldLayerNorm
    from gaugenet.nn.onnx_export import export_onnx, onnx_inputs
    from gaugenet.nn.pooling import Pool, Unpool
    from gaugenet.nn.readout import GroupPool, InvariantReadout, NormPool
    from gaugenet.nn.restrict import Restrict, ToIrreps
    from gaugenet.nn.sequential import SequentialModule
    from gaugenet.nn.tensor_product import TensorProductNonlinearity
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "AttentionBlock",
    "ChartBatchNorm",
    "EquivariantLinear",
    "EquivariantMLP",
    "FieldBatchNorm",
    "FieldDropout",
    "FieldInstanceNorm",
    "FieldLayerNorm",
    "FourierNonlinearity",
    "GatedNonlinearity",
    "GaugeAttention",
    "GaugeConv",
    "GeometricProduct",
    "GaugeMessagePassing",
    "GlobalPool",
    "GradeDropout",
    "GridConv",
    "GridConvTranspose",
    "GridPool",
    "GridUpsample",
    "GroupPool",
    "HarmonicEmbedding",
    "InvariantBias",
    "InvariantGate",
    "InvariantReadout",
    "LatticeBilinear",
    "LatticeBlock",
    "LatticePool",
    "LatticeUnpool",
    "LinkUpdate",
    "LoopFeatures",
    "LorentzActivation",
    "LorentzBatchNorm",
    "LorentzConv",
    "LorentzEmbedding",
    "LorentzLinear",
    "LorentzLog",
    "LorentzMLR",
    "LorentzType",
    "MultivectorAttention",
    "MultivectorNorm",
    "MultivectorReadout",
    "NormNonlinearity",
    "NormPool",
    "PairProduct",
    "PointwiseNonlinearity",
    "Pool",
    "PreparedGraph",
    "RadialNetwork",
    "ResidualBlock",
    "Restrict",
    "SequentialModule",
    "TensorProduct",
    "TensorProductNonlinearity",
    "ToIrreps",
    "TraceActivation",
    "TraceNorm",
    "TraceReadout",
    "Unpool",
    "VectorFieldNonlinearity",
    "blocked",
    "export_onnx",
    "matrix_type",
    "onnx_inputs",
    "prepare_graph",
    "to_torch",
    "use_engine",
    "with_radial_network",
]
