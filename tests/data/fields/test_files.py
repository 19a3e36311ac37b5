"""Fields are read from every place where they may stand, and bad ones are refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data import DataError
from gaugenet.data.fields.spec import FieldSpec, parse_fields
from gaugenet.data.fields.values import FieldReader
from gaugenet.geometry import MeshError, TriangleMesh
from tests.data.fields.field_files import sphere, write_legacy_vtk, write_obj, write_ply, write_vtp

VERTICES, FACES = sphere(1)
RNG = np.random.default_rng(0)
P, V, Q = RNG.standard_normal(len(VERTICES)), RNG.standard_normal((len(VERTICES), 3)), RNG.standard_normal(len(FACES))
A = RNG.standard_normal((len(VERTICES), 3, 3))
T = A + A.swapaxes(1, 2)


def read(path, name, kind, **entries):
    return FieldReader(TriangleMesh.load(path), path).read(FieldSpec(name, kind, **entries))


def ply(path, joint="_"):
    columns = {"p": P} | {f"v{joint}{axis}": V[:, k] for k, axis in enumerate("xyz")}
    columns |= {
        f"t{joint}{a}{b}": T[:, "xyz".index(a), "xyz".index(b)] for a, b in ("xx", "yy", "zz", "xy", "yz", "xz")
    }
    return write_ply(path, VERTICES, FACES, columns, {"q": Q})


def npz(path):
    np.savez(path.with_suffix(".npz"), p=P, v=V, t=T, q=Q)
    return write_obj(path, VERTICES, FACES)


def npy(path):
    for name, values in (("p", P), ("v", V), ("t", T.reshape(-1, 9)), ("q", Q)):
        np.save(path.with_name(f"{path.stem}.{name}.npy"), values)
    return write_obj(path, VERTICES, FACES)


def hdf5(path):
    import h5py

    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in (("p", P), ("v", V), ("t", T), ("q", Q[:, None])):
            file[name] = values
    return write_obj(path, VERTICES, FACES)


def vtp(path):
    return write_vtp(path, VERTICES, FACES, {"p": P, "v": V, "t": T}, {"q": Q})


SOURCES = {
    "ply": (ply, "m.ply"),
    "ply without joint": (lambda path: ply(path, ""), "m.ply"),
    **{"npz": (npz, "m.obj"), "npy": (npy, "m.obj"), "hdf5": (hdf5, "m.obj"), "vtp": (vtp, "m.vtp")},
}


@pytest.mark.parametrize("source", SOURCES)
def test_scalars_vectors_and_tensors_are_read_exactly(tmp_path, source):
    write, name = SOURCES[source]
    path = write(tmp_path / name)
    for field, kind, expected in (("p", "scalar", P), ("v", "vector", V), ("t", "tensor", T)):
        found = read(path, field, kind)
        assert found.on == "vertex"
        np.testing.assert_array_equal(found.values, expected)
    on_faces = read(path, "q", "scalar")
    assert on_faces.on == "face"
    np.testing.assert_array_equal(on_faces.values, Q)


def test_a_legacy_file_of_an_unstructured_grid_is_a_surface(tmp_path):
    path = write_legacy_vtk(tmp_path / "m.vtk", VERTICES, FACES, V, Q)
    mesh = TriangleMesh.load(path)
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_array_equal(read(path, "v", "vector").values, V)
    np.testing.assert_array_equal(read(path, "p", "scalar").values, Q)


def test_six_numbers_of_a_tensor_are_in_the_order_of_vtk(tmp_path):
    path = write_obj(tmp_path / "m.obj", VERTICES, FACES)
    six = np.stack([T[:, i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))], axis=1)
    np.savez(tmp_path / "m.npz", t=six)
    np.testing.assert_array_equal(read(path, "t", "tensor").values, T)


def test_values_of_polygons_are_those_of_their_triangles(tmp_path):
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 2, 0]], dtype=float)
    path = tmp_path / "m.obj"
    path.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in corners) + "f 1 2 3 4\nf 4 3 5\n")
    np.save(tmp_path / "m.q.npy", np.array([7.0, 8.0]))
    np.testing.assert_array_equal(read(path, "q", "scalar").values, [7.0, 7.0, 8.0])


def test_values_of_meshes_stand_in_a_table_or_an_archive(tmp_path):
    path = write_obj(tmp_path / "m.obj", VERTICES, FACES)
    (tmp_path / "fields.csv").write_text("mesh,drag,lift_x,lift_y,lift_z,gap\nother,1,2,3,4,5\nm.obj,0.5,1,2,3,\n")
    np.savez(tmp_path / "m.npz", mass=2.0, force=np.arange(3.0))
    for name, kind, expected in (("drag", "scalar", [0.5]), ("lift", "vector", [[1, 2, 3]]), ("mass", "scalar", [2.0])):
        found = read(path, name, kind)
        assert found.on == "mesh"
        np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(read(path, "force", "vector").values, [[0, 1, 2]])
    assert not read(path, "gap", "scalar").known.any(), "an empty cell is a missing value"


def test_missing_values_and_masks_count_nothing(tmp_path):
    path = write_obj(tmp_path / "m.obj", VERTICES, FACES)
    holes = V.copy()
    holes[3, 1] = np.nan
    np.savez(tmp_path / "m.npz", v=holes, inner=(np.arange(len(V)) % 2).astype(float), bad=-np.ones(len(V)))
    found = read(path, "v", "vector", mask="inner")
    assert (~found.known).nonzero()[0].tolist() == [3]
    np.testing.assert_array_equal(found.weight, np.arange(len(V)) % 2)
    with pytest.raises(DataError, match=r"'bad' has negative values"):
        read(path, "v", "vector", mask="bad")


def test_units_of_files_are_converted(tmp_path):
    import h5py

    path = write_obj(tmp_path / "m.obj", VERTICES, FACES)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["distance"], file["plain"] = np.ones(len(V)), np.ones(len(V))
        file["distance"].attrs["units"] = "m"
    np.testing.assert_allclose(read(path, "distance", "scalar", unit="mm").values, 1000.0)
    np.testing.assert_allclose(read(path, "plain", "scalar", unit="mm").values, 1.0)
    np.testing.assert_allclose(read(path, "plain", "scalar", unit="mm", file_unit="cm").values, 10.0)
    with pytest.raises(DataError, match=r"'m' of the field 'distance' .* does not convert to 'Pa'"):
        read(path, "distance", "scalar", unit="Pa")


def _npz(path, **arrays):
    np.savez(path.with_suffix(".npz"), **arrays)
    return write_obj(path, VERTICES, FACES)


REFUSED = {
    "a vector for a scalar": (lambda p: _npz(p, f=V), "scalar", "declared as a scalar.*vectors of 3"),
    "a scalar for a vector": (lambda p: _npz(p, f=P), "vector", "declared as a vector, with 3 numbers"),
    "a wrong count": (lambda p: _npz(p, f=P[:-1]), "scalar", f"{len(P) - 1} values.*{len(VERTICES)} vertices"),
    "a missing field": (lambda p: _npz(p, other=P), "scalar", r"no field 'f'.*m.npz \(other\).*m.f.npy"),
    "text": (lambda p: _npz(p, f=np.array(["a"] * len(P))), "scalar", "expected numbers"),
    "an infinite value": (lambda p: _npz(p, f=np.where(P > 0, np.inf, P)), "scalar", "infinite"),
    "a skew tensor": (lambda p: _npz(p, f=A), "tensor", "not symmetric"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_unsuitable_fields_are_refused_with_the_reason(tmp_path, what):
    write, kind, message = REFUSED[what]
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "m.obj"), "f", kind)


def test_a_field_in_two_places_is_refused(tmp_path):
    path = _npz(tmp_path / "m.obj", f=P)
    np.testing.assert_array_equal(read(path, "f", "scalar").values, P)
    np.save(tmp_path / "m.f.npy", P)
    with pytest.raises(DataError, match=r"is in 2 places: .*m.npz, .*m.f.npy"):
        read(path, "f", "scalar")


def test_archives_and_stores_that_are_broken_are_named(tmp_path):
    path = write_obj(tmp_path / "m.obj", VERTICES, FACES)
    for name in ("m.npz", "m.h5", "m.f.npy"):
        (tmp_path / name).write_bytes(b"not what it is called")
        with pytest.raises(DataError, match=name):
            read(path, "f", "scalar")
        (tmp_path / name).unlink()
    (tmp_path / "m.vtp").write_text("<VTKFile type='PolyData'><Pol")
    with pytest.raises(MeshError, match=r"m\.vtp"):
        TriangleMesh.load(tmp_path / "m.vtp")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.98])
def test_truncated_vtk_files_are_errors_and_silent(tmp_path, share, capfd):
    vtp(tmp_path / "m.vtp")
    write_legacy_vtk(tmp_path / "m.vtk", VERTICES, FACES, V, Q)
    for name in ("m.vtp", "m.vtk"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(MeshError, match=name):
            TriangleMesh.load(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_cells_that_are_not_polygons_are_refused(tmp_path):
    lines = ["# vtk DataFile Version 3.0", "t", "ASCII", "DATASET UNSTRUCTURED_GRID", "POINTS 4 float", "0 0 0 1 0 0"]
    lines += ["0 1 0 0 0 1", "CELLS 1 5", "4 0 1 2 3", "CELL_TYPES 1", "10"]
    (tmp_path / "m.vtk").write_text("\n".join(lines) + "\n")
    with pytest.raises(MeshError, match=r"1 cells that are not polygons, such as tetrahedra: extract the surface"):
        TriangleMesh.load(tmp_path / "m.vtk")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"wss": "arrow"}, "'wss': expected `kind` to be one of scalar, vector"),
        ({"wss": {"kind": "vector", "colour": 1}}, r"unknown entries \['colour'\]"),
        ({"wss": {"unit": "foo"}}, "Unknown unit 'foo' of the field 'wss'"),
        ({"wss": {"kind": "vector", "mean": 1.0}}, "scaled but not shifted"),
        ({"wss": {"kind": "tensor", "on": "mesh"}}, "tangent plane"),
        ({"wss": 3}, "to be a kind"),
        ("wss", "to name fields"),
    ],
)
def test_configurations_that_cannot_be_meant_are_refused(written, message):
    with pytest.raises(ValueError, match=message):
        parse_fields(written, "data.targets")


def test_a_configuration_survives_being_written_down():
    written = {"wss": {"kind": "tangent_vector", "unit": "Pa", "mean": 0.0, "scale": 2.0}, "p": {"kind": "scalar"}}
    specs = parse_fields(written, "data.targets")
    assert {spec.name: spec.as_dict() for spec in specs} == written
    assert parse_fields({"p": "scalar"}, "x") == parse_fields({"p": {"kind": "scalar"}}, "x")
