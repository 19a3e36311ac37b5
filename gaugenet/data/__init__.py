"""Data: readers of labelled meshes, input features as transforms, preparation and its cache."""

from gaugenet.data.augment import RandomGauge, RandomJitter, RandomMirror, RandomRotation, RandomScale
from gaugenet.data.cache import GraphCache
from gaugenet.data.climate import ClimateFiles, ClimateFrame
from gaugenet.data.climate_variables import ClimateVariables, find_variables
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
    Valence,
)
from gaugenet.data.folder import LabelledMeshFolder
from gaugenet.data.happi import Happi20Files
from gaugenet.data.input_features import InputFeatures
from gaugenet.data.labels import (
    face_to_vertex_distribution,
    hard_labels,
    majority_of_edges,
    meshcnn_edges,
    one_hot,
    vertex_to_face,
)
from gaugenet.data.latlon import LatLonGrid
from gaugenet.data.meshcnn import MeshCNNSegmentation, source_of
from gaugenet.data.normalization import Normalization
from gaugenet.data.panoramas import Panorama, StanfordPanoramas
from gaugenet.data.prepare import GaugeDataset, add_targets, prepare
from gaugenet.data.regrid import SphereRegridder
from gaugenet.data.sample import IGNORE_LABEL, DataError, MeshDataset, MeshSample
from gaugenet.data.shrec import ShrecClassification
from gaugenet.data.spectral import HeatKernelSignature, WaveKernelSignature
from gaugenet.data.spherical_digits import SphericalDigits
from gaugenet.data.strip_digits import StripDigits
from gaugenet.data.time_blocks import TimeSplit, split_by_blocks
from gaugenet.data.usable import UsableMesh, usable_mesh
from gaugenet.data.vortices import SyntheticWeather

__all__ = [
    "IGNORE_LABEL",
    "ClimateFiles",
    "ClimateFrame",
    "ClimateVariables",
    "Curvatures",
    "DataError",
    "Digits",
    "FaustRegistrations",
    "GaugeDataset",
    "GraphCache",
    "Happi20Files",
    "HeatKernelSignature",
    "InputFeature",
    "InputFeatures",
    "LabelledMeshFolder",
    "LatLonGrid",
    "MeshCNNSegmentation",
    "MeshDataset",
    "MeshSample",
    "Normalization",
    "Normals",
    "Positions",
    "Panorama",
    "RandomGauge",
    "RandomJitter",
    "RandomMirror",
    "RandomRotation",
    "RandomScale",
    "RotatedDigits",
    "ShapeOperator",
    "ShrecClassification",
    "SphereRegridder",
    "SphericalDigits",
    "StripDigits",
    "StanfordPanoramas",
    "SyntheticWeather",
    "TangentAxes",
    "TangentGradient",
    "TimeSplit",
    "UsableMesh",
    "Valence",
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
    "split_by_blocks",
    "find_variables",
    "vertex_to_face",
]
