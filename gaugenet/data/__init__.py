"""Data: readers of meshes, fields, climate files, images, molecules and lattices; input features; preparation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.data.climate.dataset import ClimateFiles, ClimateFrame
    from gaugenet.data.climate.happi import Happi20Files
    from gaugenet.data.climate.ideal_cyclones import idealized_cyclones
    from gaugenet.data.climate.latlon import LatLonGrid
    from gaugenet.data.climate.regrid import SphereRegridder
    from gaugenet.data.climate.shallow_water import BarotropicVorticity, ShallowWater
    from gaugenet.data.climate.shallow_weather import ShallowWaterWeather
    from gaugenet.data.climate.time_blocks import TimeSplit, split_by_blocks
    from gaugenet.data.climate.variables import ClimateVariables, find_variables
    from gaugenet.data.climate.vortices import SyntheticWeather
    from gaugenet.data.fields.folder import FieldMeshFolder
    from gaugenet.data.fields.spec import FieldSpec
    from gaugenet.data.fields.statistics import fit_fields
    from gaugenet.data.fields.values import FieldReader, FieldValues
    from gaugenet.data.images.digits import Digits, RotatedDigits, read_mnist, rotated_mnist
    from gaugenet.data.images.panoramas import Panorama, StanfordPanoramas
    from gaugenet.data.images.spherical_digits import SphericalDigits
    from gaugenet.data.images.strip_digits import StripDigits
    from gaugenet.data.lattice.files import LinkFile, read_links, write_links
    from gaugenet.data.lattice.heat_bath import HeatBath
    from gaugenet.data.lattice.hybrid_monte_carlo import HybridMonteCarlo
    from gaugenet.data.lattice.ildg import IldgFile, read_ildg, write_ildg
    from gaugenet.data.lattice.nersc import NerscFile, read_nersc, write_nersc
    from gaugenet.data.lattice.sampler import LatticeSampler
    from gaugenet.data.lattice.statistics import BinnedMean, binned_mean
    from gaugenet.data.meshes._prepare import GaugeDataset, add_targets, prepare_meshes
    from gaugenet.data.meshes.augment import RandomGauge, RandomJitter, RandomMirror, RandomRotation, RandomScale
    from gaugenet.data.meshes.cache import GraphCache
    from gaugenet.data.meshes.faust import FaustRegistrations
    from gaugenet.data.meshes.features import (
        Curvatures,
        InputFeature,
        Normals,
        Positions,
        ShapeOperator,
        TangentAxes,
        TangentGradient,
        VertexDegree,
    )
    from gaugenet.data.meshes.folder import LabelledMeshFolder
    from gaugenet.data.meshes.folds import group_names, split_folds, split_fractions
    from gaugenet.data.meshes.input_features import InputFeatures
    from gaugenet.data.meshes.labels import (
        face_to_vertex_distribution,
        hard_labels,
        majority_of_edges,
        meshcnn_edges,
        one_hot,
        vertex_to_face,
    )
    from gaugenet.data.meshes.meshcnn import MeshCNNSegmentation, source_of
    from gaugenet.data.meshes.modelnet import ModelNetPoints
    from gaugenet.data.meshes.remesh import (
        AnisotropicRemeshing,
        Cut,
        Decimation,
        Holes,
        IsotropicRemeshing,
        RemeshedMeshes,
        Remeshing,
        Subdivision,
        VertexNoise,
    )
    from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError, MeshDataset, MeshSample
    from gaugenet.data.meshes.shrec import ShrecClassification
    from gaugenet.data.meshes.smooth_shapes import SmoothShape, random_shape
    from gaugenet.data.meshes.spectral import HeatKernelSignature, WaveKernelSignature
    from gaugenet.data.meshes.usable import UsableMesh, usable_mesh
    from gaugenet.data.molecules.dynamics import Trajectory, langevin_samples, thermal_velocities, velocity_verlet
    from gaugenet.data.molecules.extended_xyz import read_extended_xyz, write_extended_xyz
    from gaugenet.data.molecules.files import random_parts, read_indices, read_molecules
    from gaugenet.data.molecules.md17 import read_md17, write_md17
    from gaugenet.data.molecules.molecule import Molecule, MoleculeSet
    from gaugenet.data.molecules.potential import AngularLennardJones
    from gaugenet.data.molecules.qm9 import read_qm9
    from gaugenet.data.normalization import Normalization
    from gaugenet.data.physics.flow_files import FlowTrajectories, read_flows, write_flows
    from gaugenet.data.physics.maxwell import ChargeClouds, MaxwellState, PeriodicMaxwell, space_time_faraday
    from gaugenet.data.physics.maxwell_files import MaxwellTrajectories, read_maxwell
    from gaugenet.data.physics.navier_stokes import FlowState, NavierStokes
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "AnisotropicRemeshing",
    "Cut",
    "Decimation",
    "Holes",
    "IsotropicRemeshing",
    "RemeshedMeshes",
    "Remeshing",
    "Subdivision",
    "VertexNoise",
    "IGNORE_LABEL",
    "AngularLennardJones",
    "BarotropicVorticity",
    "BinnedMean",
    "ChargeClouds",
    "ClimateFiles",
    "ClimateFrame",
    "ClimateVariables",
    "Curvatures",
    "DataError",
    "Digits",
    "FaustRegistrations",
    "FieldMeshFolder",
    "FieldReader",
    "FieldSpec",
    "FieldValues",
    "FlowState",
    "FlowTrajectories",
    "GaugeDataset",
    "GraphCache",
    "Happi20Files",
    "HeatBath",
    "HeatKernelSignature",
    "HybridMonteCarlo",
    "IldgFile",
    "InputFeature",
    "InputFeatures",
    "LabelledMeshFolder",
    "LatLonGrid",
    "LatticeSampler",
    "LinkFile",
    "MaxwellState",
    "MaxwellTrajectories",
    "MeshCNNSegmentation",
    "MeshDataset",
    "MeshSample",
    "ModelNetPoints",
    "Molecule",
    "MoleculeSet",
    "NavierStokes",
    "NerscFile",
    "Normalization",
    "Normals",
    "Panorama",
    "PeriodicMaxwell",
    "Positions",
    "RandomGauge",
    "RandomJitter",
    "RandomMirror",
    "RandomRotation",
    "RandomScale",
    "RotatedDigits",
    "ShallowWater",
    "ShallowWaterWeather",
    "ShapeOperator",
    "ShrecClassification",
    "SmoothShape",
    "SphereRegridder",
    "SphericalDigits",
    "StanfordPanoramas",
    "StripDigits",
    "SyntheticWeather",
    "TangentAxes",
    "TangentGradient",
    "TimeSplit",
    "Trajectory",
    "UsableMesh",
    "VertexDegree",
    "WaveKernelSignature",
    "add_targets",
    "binned_mean",
    "face_to_vertex_distribution",
    "find_variables",
    "fit_fields",
    "group_names",
    "hard_labels",
    "idealized_cyclones",
    "langevin_samples",
    "majority_of_edges",
    "meshcnn_edges",
    "one_hot",
    "prepare_meshes",
    "random_parts",
    "random_shape",
    "read_extended_xyz",
    "read_flows",
    "read_indices",
    "read_links",
    "read_maxwell",
    "read_md17",
    "read_mnist",
    "read_molecules",
    "read_ildg",
    "read_nersc",
    "read_qm9",
    "rotated_mnist",
    "source_of",
    "space_time_faraday",
    "split_by_blocks",
    "split_folds",
    "split_fractions",
    "thermal_velocities",
    "usable_mesh",
    "velocity_verlet",
    "vertex_to_face",
    "write_extended_xyz",
    "write_flows",
    "write_links",
    "write_ildg",
    "write_md17",
    "write_nersc",
]
