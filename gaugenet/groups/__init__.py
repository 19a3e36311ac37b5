"""Structure groups, their representations, and field types."""

from gaugenet.groups.axial import Axial
from gaugenet.groups.composite import DirectSum, Restricted, TensorProduct
from gaugenet.groups.cyclic import Cyclic
from gaugenet.groups.decomposition import Decomposition, clebsch_gordan
from gaugenet.groups.dihedral import Dihedral
from gaugenet.groups.field_type import Block, FieldType
from gaugenet.groups.group import FiniteGroup, StructureGroup
from gaugenet.groups.intertwiner import intertwiners
from gaugenet.groups.linear_group import GeneralLinear, SpecialLinear
from gaugenet.groups.lookup import group_from_name
from gaugenet.groups.lorentz import Lorentz, PseudoOrthogonal
from gaugenet.groups.matrix_group import MatrixGroup
from gaugenet.groups.o2 import O2
from gaugenet.groups.o3 import O3
from gaugenet.groups.polyhedral import Polyhedral
from gaugenet.groups.reflection import Reflection
from gaugenet.groups.representation import Representation
from gaugenet.groups.scaling import Scaling
from gaugenet.groups.so2 import SO2
from gaugenet.groups.so3 import SO3
from gaugenet.groups.spherical import spherical_harmonics
from gaugenet.groups.tensor_group import TensorGroup
from gaugenet.groups.trivial import Trivial

__all__ = [
    "Axial",
    "Block",
    "Cyclic",
    "Decomposition",
    "Dihedral",
    "DirectSum",
    "FieldType",
    "FiniteGroup",
    "GeneralLinear",
    "Lorentz",
    "MatrixGroup",
    "O2",
    "O3",
    "Polyhedral",
    "PseudoOrthogonal",
    "Reflection",
    "Representation",
    "Restricted",
    "SO2",
    "SO3",
    "Scaling",
    "SpecialLinear",
    "StructureGroup",
    "TensorGroup",
    "TensorProduct",
    "Trivial",
    "clebsch_gordan",
    "group_from_name",
    "intertwiners",
    "spherical_harmonics",
]
