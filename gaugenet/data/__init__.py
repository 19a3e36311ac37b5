"""Data: readers of labelled meshes, input features as transforms, preparation and its cache."""

from gaugenet.data.faust import FaustRegistrations
from gaugenet.data.folder import LabelledMeshFolder
from gaugenet.data.labels import (
    face_to_vertex_distribution,
    hard_labels,
    majority_of_edges,
    meshcnn_edges,
    one_hot,
    vertex_to_face,
)
from gaugenet.data.meshcnn import MeshCNNSegmentation, source_of
from gaugenet.data.sample import IGNORE_LABEL, DataError, MeshDataset, MeshSample
from gaugenet.data.shrec import ShrecClassification

__all__ = [
    "IGNORE_LABEL",
    "DataError",
    "FaustRegistrations",
    "LabelledMeshFolder",
    "MeshCNNSegmentation",
    "MeshDataset",
    "MeshSample",
    "ShrecClassification",
    "face_to_vertex_distribution",
    "hard_labels",
    "majority_of_edges",
    "meshcnn_edges",
    "one_hot",
    "source_of",
    "vertex_to_face",
]
