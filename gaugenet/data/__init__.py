"""Data: readers of labelled meshes, input features as transforms, preparation and its cache."""

from gaugenet.data.augment import RandomGauge, RandomMirror, RandomRotation, RandomScale
from gaugenet.data.cache import GraphCache
from gaugenet.data.digits import Digits, RotatedDigits, read_mnist, rotated_mnist
from gaugenet.data.faust import FaustRegistrations
from gaugenet.data.features import (
    Curvatures,
    InputFeature,
    Normals,
    Positions,
    ShapeOperator,
    TangentAxes,
    TangentGradient,
)
from gaugenet.data.folder import LabelledMeshFolder
from gaugenet.data.input_features import InputFeatures
from gaugenet.data.labels import (
    face_to_vertex_distribution,
    hard_labels,
    majority_of_edges,
    meshcnn_edges,
    one_hot,
    vertex_to_face,
)
from gaugenet.data.meshcnn import MeshCNNSegmentation, source_of
from gaugenet.data.prepare import GaugeDataset, add_targets, prepare
from gaugenet.data.sample import IGNORE_LABEL, DataError, MeshDataset, MeshSample
from gaugenet.data.shrec import ShrecClassification
from gaugenet.data.spectral import HeatKernelSignature, WaveKernelSignature
from gaugenet.data.usable import UsableMesh, usable_mesh

__all__ = [
    "IGNORE_LABEL",
    "Curvatures",
    "DataError",
    "Digits",
    "FaustRegistrations",
    "GaugeDataset",
    "GraphCache",
    "HeatKernelSignature",
    "InputFeature",
    "InputFeatures",
    "LabelledMeshFolder",
    "MeshCNNSegmentation",
    "MeshDataset",
    "MeshSample",
    "Normals",
    "Positions",
    "RandomGauge",
    "RandomMirror",
    "RandomRotation",
    "RandomScale",
    "RotatedDigits",
    "ShapeOperator",
    "ShrecClassification",
    "TangentAxes",
    "TangentGradient",
    "UsableMesh",
    "WaveKernelSignature",
    "add_targets",
    "face_to_vertex_distribution",
    "hard_labels",
    "majority_of_edges",
    "meshcnn_edges",
    "one_hot",
    "prepare",
    "read_mnist",
    "rotated_mnist",
    "source_of",
    "usable_mesh",
    "vertex_to_face",
]
