"""Public names are a decision: they change here first. Imports are light, and go down only."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import gaugenet

ROOT = Path(gaugenet.__file__).parent

PUBLIC = {
    "gaugenet": """
        FieldType GaugeConv GaugeGraph Grid Icosphere MeshUNet O2 O3 PointCloud SO2 SO3 TriangleMesh __version__
        data geometry groups kernels models nn tasks taxonomy testing viz
    """,
    "gaugenet.geometry": """
        ConformalRescale CrossField Cylinder Domain EmbeddedTorus Euclidean FlatTorus GStructure GaugeGraph GraphDomain
        Grid Hyperbolic
        IcosahedralRotation Icosphere InCoordinates KleinBottle LensSpace Manifold ManifoldError MeshError Minkowski
        MobiusStrip PeriodicCell PointCloud Product ProjectiveSpace PseudoEuclidean PuncturedPlane Quotient Rotations SPD Sphere
        SurfaceOfRevolution TriangleMesh cross_field frames_along from_charts from_embedding from_metric from_object
        icosahedral_rotation icosahedral_rotations
    """,
    "gaugenet.groups": """
        Axial Block Cyclic Decomposition Dihedral DirectSum FieldType FiniteGroup GeneralLinear Lorentz MatrixGroup O2
        O3 Polyhedral PseudoOrthogonal Reflection Representation Restricted SO2 SO3 Scaling SpecialLinear StructureGroup
        TensorGroup TensorProduct Trivial clebsch_gordan group_from_name intertwiners spherical_harmonics
    """,
    "gaugenet.kernels": """
        AlignedBasis BandLimit Covariant CovariantSpace FrequencyBasis GaussianRings Harmonic HarmonicBasis
        HarmonicSpace Implicit ImplicitPolynomial ImplicitSpace KernelBasis KernelFamily KernelSpace Neighborhood
        PolynomialSpace RadialBasis Rings band_limit covariants kernel_space
    """,
    "gaugenet.nn": """
        ChartBatchNorm ToIrreps EquivariantLinear EquivariantMLP FieldBatchNorm FieldDropout FieldInstanceNorm
        FieldLayerNorm FourierNonlinearity GatedNonlinearity GaugeAttention GaugeConv GaugeMessagePassing GlobalPool GridConv GridConvTranspose GridPool
        GroupPool HarmonicEmbedding InvariantBias InvariantReadout LorentzActivation LorentzBatchNorm LorentzConv
        LorentzEmbedding LorentzLinear LorentzLog LorentzMLR LorentzType NormNonlinearity NormPool PointwiseNonlinearity
        Pool PreparedGraph ResidualBlock Restrict TensorProduct TensorProductNonlinearity Unpool VectorFieldNonlinearity
        prepare_graph to_torch use_engine
    """,
    "gaugenet.models": """
        Augmented ScoreCanonicalizer Canonicalized GroupAveraged IcosahedralCNN IcosahedralUNet MeshUNet MobiusCNN
        OrdinaryStripCNN PlainCNN PlanarCNN Canonicalizer PrincipalAxes WideResNet matched_baseline
    """,
    "gaugenet.taxonomy": "MISSING MissingRow Transformation ROWS Row ScalarNetwork page row symmetry_error table",
    "gaugenet.testing": "GaugeReport ManifoldContract assert_gauge_equivariant",
}

STOREYS = ["groups", "geometry", "kernels", "nn", "models", "testing"]
"""Each may import from those before it, and from itself."""

GROUND = {"files", "_caching", "_deprecation", "_transforms", "_typing", "_validation"}
"""Modules under all storeys."""

HEAVY = ["lightning", "matplotlib", "xarray", "joblib", "trimesh", "scipy", "torch", "torch_geometric", "numba"]


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module):
    found = importlib.import_module(module)
    assert sorted(found.__all__) == sorted(PUBLIC[module].split())
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gaugenet.nothing  # noqa: B018
    assert "MeshUNet" in dir(gaugenet)


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*(m for m in {HEAVY} if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import gaugenet") == set()


def test_importing_layers_loads_no_training_or_plotting():
    loaded = loaded_by("import gaugenet.nn, gaugenet.models, gaugenet.testing")
    assert "torch" in loaded
    assert not loaded & {"lightning", "matplotlib", "xarray", "joblib"}


def imports(path: Path) -> set[str]:
    """Subpackages of gaugenet that a file imports when it is loaded."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("gaugenet.")}
    return found


@pytest.mark.parametrize("storey", STOREYS)
def test_imports_go_down_only(storey):
    allowed = GROUND | set(STOREYS[: STOREYS.index(storey) + 1])
    if storey == "kernels":
        allowed.discard("geometry")
    for path in (ROOT / storey).rglob("*.py"):
        assert imports(path) <= allowed, path


def test_the_ground_under_all_storeys_imports_none_of_them():
    assert not imports(ROOT / "files.py")


def test_control_the_import_check_sees_imports():
    assert imports(ROOT / "models" / "mesh_unet.py") >= {"groups", "nn"}
