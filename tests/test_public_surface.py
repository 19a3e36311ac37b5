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
        FieldType GaugeConv GaugeGraph Grid Icosphere MeshUNet O2 O3 PointCloud SO2 SO3 TriangleMesh __version__ data
        datasets geometry groups kernels models nn operators tasks taxonomy testing viz
    """,
    "gaugenet.geometry": """
        ConformalRescale CrossField Cylinder Domain EmbeddedTorus Euclidean FieldAction FlatTorus GStructure
        GaugeGraph GraphDomain Grid HEALPix Hyperbolic IcosahedralRotation Icosphere InCoordinates KleinBottle
        LatLonSphere LatticeGaugeField LatticeGraph LensSpace LogMap Manifold ManifoldError MeshError Minkowski
        MobiusStrip NeighborhoodOptions PeriodicCell PointCloud Product ProjectiveSpace PseudoEuclidean
        PuncturedPlane Quotient ReducedGaussian Regridder Rotations SPD Sphere SphereDomain SpherePoints
        SurfaceOfRevolution TriangleMesh VectorHeat cross_field frames_along from_charts from_embedding
        from_metric from_object hierarchy icosahedral_rotation icosahedral_rotations inspect_mesh repair_mesh
    """,
    "gaugenet.groups": """
        Axial Block CliffordAlgebra Cyclic Decomposition Dihedral DirectProduct DirectSum ExteriorPower
        FieldType FiniteGroup GeneralLinear Hypercubic Lorentz MatrixGroup O2 O3 OuterProduct Polyhedral
        PseudoOrthogonal Reflection Representation Restricted SO2 SO3 SU Scaling SpecialLinear StructureGroup
        TensorGroup TensorProduct Trivial U U1 UnitaryGroup axial_to_bivector bivector_to_axial clebsch_gordan
        complex_fields electric_magnetic faraday group_from_name intertwiners multivector real_fields
        spherical_harmonics
    """,
    "gaugenet.kernels": """
        AlignedBasis BandLimit Clifford CliffordSpace Covariant CovariantSpace Differential DifferentialSpace
        FrequencyBasis GaussianRings Harmonic HarmonicBasis HarmonicSpace Implicit ImplicitPolynomial
        ImplicitSpace KernelBasis KernelFamily KernelSpace KernelSum Neighborhood PolynomialSpace RadialBasis
        Rings ShiftSpace Shifts band_limit covariants kernel_from_text kernel_space
    """,
    "gaugenet.nn": """
        AttentionBlock ChartBatchNorm EquivariantLinear EquivariantMLP FieldBatchNorm FieldDropout
        FieldInstanceNorm FieldLayerNorm FourierNonlinearity GatedNonlinearity GaugeAttention GaugeConv
        GaugeMessagePassing GeometricProduct GlobalPool GradeDropout GridConv GridConvTranspose GridPool
        GridUpsample GroupPool HarmonicEmbedding InvariantBias InvariantGate InvariantReadout LatticeBilinear
        LatticeBlock LatticePool LatticeUnpool LinkUpdate LoopFeatures LorentzActivation LorentzBatchNorm
        LorentzConv LorentzEmbedding LorentzLinear LorentzLog LorentzMLR LorentzType MultivectorAttention
        MultivectorNorm MultivectorReadout NormNonlinearity NormPool PairProduct PointwiseNonlinearity Pool
        PreparedGraph RadialNetwork ResidualBlock Restrict SequentialModule TensorProduct TensorProductNonlinearity
        ToIrreps TraceActivation TraceNorm TraceReadout Unpool VectorFieldNonlinearity blocked export_onnx
        matrix_type onnx_inputs prepare_graph to_torch use_engine with_radial_network
    """,
    "gaugenet.models": """
        Augmented Canonicalized Canonicalizer CliffordResNet CliffordUNet EnergyNetwork GaugeTransformer
        GroupAveraged IcosahedralCNN IcosahedralUNet LatLonUNet MeshUNet MobiusCNN OrdinaryStripCNN PlainCNN
        PlainResNet PlanarCNN PlanarUNet PrincipalAxes ScoreCanonicalizer WideResNet load matched_baseline
        pretrained_folder
    """,
    "gaugenet.data": """
        AngularLennardJones AnisotropicRemeshing BarotropicVorticity BinnedMean ChargeClouds ClimateFiles
        ClimateFrame ClimateVariables Curvatures Cut DataError Decimation Digits FaustRegistrations
        FieldMeshFolder FieldReader FieldSpec FieldValues FlowState FlowTrajectories GaugeDataset GraphCache
        Happi20Files HeatBath HeatKernelSignature Holes HybridMonteCarlo IGNORE_LABEL IldgFile InputFeature
        InputFeatures IsotropicRemeshing LabelledMeshFolder LatLonGrid LatticeSampler LinkFile MaxwellState
        MaxwellTrajectories MeshCNNSegmentation MeshDataset MeshSample ModelNetPoints Molecule MoleculeSet NavierStokes
        NerscFile Normalization Normals Panorama PeriodicMaxwell Positions RandomGauge RandomJitter RandomMirror
        RandomRotation RandomScale RemeshedMeshes Remeshing RotatedDigits ShallowWater ShallowWaterWeather
        ShapeOperator ShrecClassification SmoothShape SphereRegridder SphericalDigits StanfordPanoramas
        StripDigits Subdivision SyntheticWeather TangentAxes TangentGradient TimeSplit Trajectory UsableMesh
        VertexDegree VertexNoise WaveKernelSignature add_targets binned_mean face_to_vertex_distribution
        find_variables fit_fields group_names hard_labels idealized_cyclones langevin_samples majority_of_edges
        meshcnn_edges one_hot prepare_meshes random_parts random_shape read_extended_xyz read_flows read_ildg
        read_maxwell read_indices read_links read_md17 read_mnist read_molecules read_nersc read_qm9 rotated_mnist
        source_of space_time_faraday split_by_blocks split_folds split_fractions thermal_velocities usable_mesh
        velocity_verlet vertex_to_face write_extended_xyz write_flows write_ildg write_links write_md17
        write_nersc
    """,
    "gaugenet.viz": """
        ColorScale FieldMap MeshField MeshView SpacePicture SpherePanel SurfacePicture Texels coastline_segments
        draw_fields draw_spheres label_colors line_integral_convolution nearest_point palette plot_comparison
        plot_confusion_matrix plot_learning_curves render_field_maps render_meshes write_ply write_viewer
    """,
    "gaugenet.tasks": """
        ClimateData ClimateLoss ClimateTask CrossValidation DataOptions FieldPredictor ForecastData ForecastLoss
        ForecastTask GeometryOptions GraphDataModule ImageOptions LearnedForces LossOptions MeshLabelModule
        MeshLabelTask MetricAccumulator MoleculeData MoleculeLoss MoleculePredictor MoleculeTask OptimOptions
        Predictor RegressionData RegressionLoss RegressionModule RegressionTask RunDescription RunError Scores
        TASKS Task TaskError TrainingModule confusion_matrix cross_validate error_rate evaluate evaluate_climate
        evaluate_fields evaluate_forecast evaluate_molecules face_log_probabilities find_task fit fit_images
        item_log_probabilities load_run predict predict_climate predict_fields predict_forecast predict_images
        predict_molecules result_table rotation_errors task_of_run train train_and_test train_climate
        train_forecast train_molecules train_task
    """,
    "gaugenet.operators": """
        OperatorMatrix apply_operator as_matrix covariant_derivative curl divergence eth ethbar gradient hessian
        laplacian operator_graph
    """,
    "gaugenet.taxonomy": """
        MISSING MissingRow ROWS Row ScalarNetwork TRANSPORTERS Transformation TransporterKind gauge_error page
        row symmetry_error table
    """,
    "gaugenet.testing": "GaugeReport ManifoldContract assert_gauge_equivariant",
}

ALLOWED = {
    "groups": "",
    "geometry": "groups",
    "kernels": "groups",
    "operators": "groups geometry kernels",
    "nn": "groups geometry kernels",
    "models": "groups geometry kernels nn",
    "testing": "groups geometry kernels nn models",
    "data": "groups geometry",
    "viz": "groups geometry kernels nn",
    "taxonomy": "groups geometry kernels nn viz",
    "tasks": "groups geometry kernels nn models data viz",
    "commands": "geometry tasks",
}
"""What each storey may import besides itself and the ground, at the top of a file or inside functions."""

GROUND = {
    *(
        "files",
        "datasets",
        "_caching",
        "_compile_lock",
        "_compiled",
        "_deprecation",
        "_fetch",
        "_lazy",
        "_shipped",
        "_transforms",
    ),
    *("_pyg", "_typing", "_validation", "_zoo"),
}
"""Modules under all storeys."""

HEAVY = [
    *("lightning", "matplotlib", "xarray", "joblib", "trimesh", "potpourri3d", "scipy", "numba"),
    *("torch", "torch_geometric", "torch._dynamo", "sympy", "pandas"),
]
LOADED = {
    "import gaugenet.data, gaugenet.geometry, gaugenet.models, gaugenet.nn, gaugenet.testing, gaugenet.viz": "",
    "from gaugenet.tasks import TASKS, task_of_run": "",
    "from gaugenet.tasks import load_run; import gaugenet.groups, gaugenet.kernels": "torch",
    "from gaugenet.geometry import TriangleMesh, PointCloud, Icosphere, Grid, Sphere, hierarchy, cross_field": "torch",
    "from gaugenet.nn import *; from gaugenet.models import *; from gaugenet.viz import *": "torch",
}
"""What of `HEAVY` a statement loads: all else waits until a graph is built or a loop runs."""


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


@pytest.mark.parametrize("statement", LOADED)
def test_an_import_loads_only_what_it_needs(statement):
    assert loaded_by(statement) == set(LOADED[statement].split())


def test_a_graph_loads_pyg_and_a_loop_loads_numba():
    mesh = "from gaugenet.geometry import TriangleMesh; m = TriangleMesh([[0,0,0],[1,0,0],[0,1,0]], [[0,1,2]]); "
    assert loaded_by(mesh + "m.area") == {"torch"}
    oriented = "from gaugenet.geometry import inspect_mesh; inspect_mesh(m)"
    assert loaded_by(mesh + oriented) == {"torch", "numba", "scipy"}
    points = "from gaugenet.geometry import PointCloud; from gaugenet.groups import O2"
    graph = "PointCloud([[0.0, 0.0], [1.0, 0.0]]).gauge_graph(O2(), radius=2.0)"
    assert loaded_by(f"{points}; {graph}") == {"torch", "torch_geometric", "numba", "scipy"}  # PyG brings the last two


def test_no_export_of_a_lazy_package_has_the_name_of_a_module_in_it():
    """An import of that module would put the module in the place of the name."""
    for package in PUBLIC:
        found = importlib.import_module(package)
        inside = {path.stem for path in Path(found.__file__).parent.iterdir() if path.suffix == ".py" or path.is_dir()}
        if "__getattr__" in vars(found) and package != "gaugenet":
            assert not inside & set(found.__all__), package


def imports(path: Path) -> set[str]:
    """Subpackages of gaugenet that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [f"gaugenet.{alias.name}" for alias in node.names] if base == "gaugenet" else [base]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("gaugenet.")}
    return found


@pytest.mark.parametrize("storey", ALLOWED)
def test_imports_go_down_only(storey):
    allowed = {*GROUND, *ALLOWED[storey].split(), storey}
    for path in (ROOT / storey).rglob("*.py"):
        assert imports(path) <= allowed, path


def test_the_ground_under_all_storeys_imports_none_of_them():
    for name in GROUND:
        assert imports(ROOT / f"{name}.py") <= {*GROUND}, name


APPLIES_NETWORKS = [
    *("tasks/regression/inference.py", "tasks/regression/evaluation.py", "tasks/regression/prediction.py"),
    *("tasks/mesh/inference.py", "tasks/mesh/evaluation.py", "tasks/mesh/prediction.py", "tasks/mesh/pictures.py"),
    *("tasks/forecast/inference.py", "tasks/forecast/evaluation.py", "tasks/forecast/prediction.py"),
    *("tasks/climate/inference.py", "tasks/climate/evaluation.py", "tasks/climate/prediction.py"),
    *("tasks/molecules/inference.py", "tasks/molecules/evaluation.py", "tasks/molecules/prediction.py"),
]
TRAINS_NETWORKS = {
    *("train", "setup", "module", "training.fit", "training.checkpoint", "training.averaging", "training.history"),
}


def modules_imported(path: Path) -> set[str]:
    """Modules of gaugenet that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gaugenet"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("gaugenet")}
    return found


def modules_reached(path: Path) -> set[str]:
    """The same, and what those modules import."""
    found, waiting = set(), [path]
    while waiting:
        for name in modules_imported(waiting.pop()) - found:
            found.add(name)
            file = ROOT.parent / Path(*name.split(".")).with_suffix(".py")
            waiting += [file] if file.is_file() else []
    return found


def trainers(path: Path) -> set[str]:
    """Modules that a file reaches and that belong to training."""
    ends = tuple(f".{name}" for name in TRAINS_NETWORKS)
    return {name for name in modules_reached(path) if name.startswith("gaugenet.tasks.") and name.endswith(ends)}


@pytest.mark.parametrize("name", APPLIES_NETWORKS)
def test_what_applies_networks_imports_no_trainer(name):
    assert trainers(ROOT / name) == set()


def test_control_training_reaches_the_trainer():
    assert "gaugenet.tasks.training.fit" in trainers(ROOT / "tasks" / "mesh" / "train.py")


def test_former_names_still_work_and_say_so():
    with pytest.warns(DeprecationWarning, match="now called `MeshLabelModule`"):
        assert gaugenet.tasks.GaugeTask is gaugenet.tasks.MeshLabelModule


def test_control_the_import_check_sees_imports():
    assert imports(ROOT / "models" / "mesh_unet.py") >= {"groups", "nn"}
