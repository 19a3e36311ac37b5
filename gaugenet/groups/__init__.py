"""Structure groups, their representations, and field types."""

from gaugenet.groups.clifford.algebra import CliffordAlgebra
from gaugenet.groups.clifford.fields import multivector
from gaugenet.groups.clifford.physics import axial_to_bivector, bivector_to_axial, electric_magnetic, faraday
from gaugenet.groups.families.axial import Axial
from gaugenet.groups.families.complex_fields import complex_fields, real_fields
from gaugenet.groups.families.cyclic import Cyclic
from gaugenet.groups.families.dihedral import Dihedral
from gaugenet.groups.families.direct_product import DirectProduct
from gaugenet.groups.families.hypercubic import Hypercubic
from gaugenet.groups.families.linear_group import GeneralLinear, SpecialLinear
from gaugenet.groups.families.lorentz import Lorentz, PseudoOrthogonal
from gaugenet.groups.families.matrix_group import MatrixGroup
from gaugenet.groups.families.o2 import O2
from gaugenet.groups.families.o3 import O3
from gaugenet.groups.families.polyhedral import Polyhedral
from gaugenet.groups.families.reflection import Reflection
from gaugenet.groups.families.scaling import Scaling
from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.families.so3 import SO3
from gaugenet.groups.families.tensor_group import TensorGroup
from gaugenet.groups.families.trivial import Trivial
from gaugenet.groups.families.unitary import SU, U1, U, UnitaryGroup
from gaugenet.groups.group import FiniteGroup, StructureGroup
from gaugenet.groups.intertwiners.intertwiner import intertwiners
from gaugenet.groups.lookup import group_from_name
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import DirectSum, Restricted, TensorProduct
from gaugenet.groups.representations.decomposition import Decomposition, clebsch_gordan
from gaugenet.groups.representations.exterior import ExteriorPower
from gaugenet.groups.representations.field_type import Block, FieldType
from gaugenet.groups.representations.outer_product import OuterProduct
from gaugenet.groups.representations.spherical import spherical_harmonics

__all__ = [
    "Axial",
    "Block",
    "CliffordAlgebra",
    "Cyclic",
    "Decomposition",
    "Dihedral",
    "DirectProduct",
    "DirectSum",
    "ExteriorPower",
    "FieldType",
    "FiniteGroup",
    "GeneralLinear",
    "Hypercubic",
    "Lorentz",
    "MatrixGroup",
    "O2",
    "O3",
    "OuterProduct",
    "Polyhedral",
    "PseudoOrthogonal",
    "Reflection",
    "Representation",
    "Restricted",
    "SO2",
    "SO3",
    "SU",
    "Scaling",
    "SpecialLinear",
    "StructureGroup",
    "TensorGroup",
    "TensorProduct",
    "Trivial",
    "U",
    "U1",
    "UnitaryGroup",
    "axial_to_bivector",
    "bivector_to_axial",
    "clebsch_gordan",
    "complex_fields",
    "electric_magnetic",
    "faraday",
    "group_from_name",
    "intertwiners",
    "multivector",
    "real_fields",
    "spherical_harmonics",
]
