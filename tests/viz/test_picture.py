"""What is drawn on a surface lies on it, follows geodesics, and rotates with the frames."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from PIL import Image

from gaugenet import FieldType, GaugeConv
from gaugenet.geometry import (
    SPD,
    CrossField,
    EmbeddedTorus,
    Euclidean,
    GStructure,
    Hyperbolic,
    Icosphere,
    KleinBottle,
    Manifold,
    Minkowski,
    MobiusStrip,
    ProjectiveSpace,
    PuncturedPlane,
    Rotations,
    Sphere,
    TriangleMesh,
    from_embedding,
    from_metric,
)
from gaugenet.groups import O2, SO2, SO3, Cyclic, Trivial
from gaugenet.viz import SpacePicture, SurfacePicture
from gaugenet.viz.kernel_entry import kernel_function
from gaugenet.viz.render.triangles import clipped, polar_grid, split
from gaugenet.viz.surfaces.drawable import ManifoldSurface, drawable
from gaugenet.viz.surfaces.immersions import boy
from gaugenet.viz.surfaces.sheets import Sheet
from tests.tolerances import TOL

FLOAT64 = TOL[torch.float64]
POLE = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))
EQUATOR = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)


class WithoutExp(Manifold):
    """The sphere, knowing logarithms only."""

    dim, ambient_dim, sphere = 2, 3, Sphere(2)

    def log(self, p, q):
        return torch.nan_to_num(self.sphere.log(p, q), nan=9.0)

    def transport(self, p, q, v):
        return self.sphere.transport(p, q, v)

    def inner(self, p, u, v):
        return (u * v).sum(-1)

    def to_tangent(self, p, v):
        return self.sphere.to_tangent(p, v)


class OwnSphere(WithoutExp):
    """A sphere that the library does not know to be one."""

    def log(self, p, q):
        return self.sphere.log(p, q)

    def exp(self, p, v):
        return self.sphere.exp(p, v)


@pytest.fixture
def icosphere() -> TriangleMesh:
    sphere = Icosphere(3)
    return TriangleMesh(sphere.pos, sphere.face.T)


# --- geodesics --------------------------------------------------------------------------------------------------------


def test_discs_on_the_sphere_are_spherical_caps():
    surface = drawable(Sphere(2))
    frames = surface.frames_at(POLE, None)
    (patch,) = surface.patches(POLE, frames, 0.7)
    length = np.linalg.norm(patch.coordinates, axis=1)
    assert np.abs(patch.vertices[:, 2] - np.cos(length)).max() < FLOAT64
    assert length.max() == pytest.approx(0.7)
    assert np.abs(patch.vertices[:, 2] - 1).max() > 0.1  # the control: it is no flat disc


def test_logarithms_alone_draw_the_same_disc():
    """Without `exp`, logarithms are linear on triangles of the picture."""
    sphere = Icosphere(5)
    exact = drawable(Sphere(2))
    frames = exact.frames_at(EQUATOR, None)
    surface = ManifoldSurface(WithoutExp(), Sheet(sphere.pos, sphere.face.T.numpy(), lambda p: p))
    v = 0.5 * polar_grid(6, 12).points
    ((here, level),) = surface.exp(EQUATOR, frames, [v])
    ((there, _),) = exact.exp(EQUATOR, frames, [v])
    assert (level > 0).all()
    assert np.abs(here - there).max() < 2e-3
    assert np.abs(here - exact.exp(EQUATOR, -frames, [v])[0][0]).max() > 0.5


def test_a_mesh_of_a_sphere_draws_like_the_sphere(icosphere):
    surface, sphere = drawable(icosphere), drawable(Sphere(2))
    vertex = torch.tensor([100])
    frame = surface.frames_at(vertex, None)
    p = torch.from_numpy(icosphere.vertices[vertex.numpy()])
    v = 0.6 * polar_grid(4, 16).points
    ((here, level),) = surface.exp(vertex, frame, [v])
    ((there, _),) = sphere.exp(p, frame, [v])
    assert (level > 0).all()
    assert np.abs(here - there).max() < 0.02
    (patch,) = surface.patches(vertex, frame, 0.6)
    area = np.linalg.norm(np.cross(*np.diff(patch.vertices[patch.faces], axis=1).swapaxes(0, 1)), axis=1).sum() / 2
    assert area == pytest.approx(2 * math.pi * (1 - math.cos(0.6)), rel=0.02)


def test_geodesics_on_a_mesh_reach_far(icosphere):
    """Further than log coordinates of their start: along great circles, nearly around the sphere."""
    a, b = 0, int((icosphere.vertices @ icosphere.vertices[0] + 0.8).__abs__().argmin())
    picture = SurfacePicture(icosphere).curve([a, b], width=0.02)
    line = picture.parts[1].vertices[1::3]
    start, end = icosphere.vertices[[a, b]]
    assert start @ end < -0.7
    assert np.abs(line[[0, -1]] - [start, end]).max() < 0.03
    across = np.cross(start, end) / np.linalg.norm(np.cross(start, end))
    assert np.abs(line @ across).max() < 0.06
    assert np.abs(line @ np.cross(across, start)).max() > 0.9  # the control: other planes are far
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).sum() == pytest.approx(math.acos(start @ end), rel=0.03)


def test_transport_around_an_octant_turns_by_its_area(icosphere):
    corners = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]]
    frames = SurfacePicture(Sphere(2)).transported(corners)
    rotation = frames[0].T @ frames[-1]
    assert torch.allclose(rotation, torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64), atol=FLOAT64)

    near = torch.cdist(corners, torch.from_numpy(icosphere.vertices)).argmin(1)
    on_mesh = SurfacePicture(icosphere).transported(near)
    rotated = on_mesh[0].T @ on_mesh[-1]
    a, b, c = torch.from_numpy(icosphere.vertices)[near[:3]]
    volume = torch.linalg.det(torch.stack([a, b, c]))
    area = 2 * math.atan2(float(volume), float(1 + a @ b + b @ c + c @ a))
    assert math.atan2(float(rotated[1, 0]), float(rotated[0, 0])) == pytest.approx(area, abs=0.03)


def test_carried_around_the_strip_a_frame_comes_back_reflected():
    strip = MobiusStrip(4.0, 1.0)
    path = torch.tensor([[x % 4.0, 0.0] for x in np.linspace(0, 4, 9)], dtype=torch.float64)
    frames = SurfacePicture(strip).transported(path)
    assert torch.allclose(frames[-1], frames[0] @ torch.diag(torch.tensor([1.0, -1.0]).double()), atol=FLOAT64)


# --- what is drawn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("surface", "options"),
    [
        (Sphere(2), {}),
        (Euclidean(2), {}),
        (Minkowski(2), {}),
        (PuncturedPlane(), {}),
        (Hyperbolic(2), {}),
        (Hyperbolic(2).ball(), {}),
        (Hyperbolic(2).hyperboloid(), {}),
        (MobiusStrip(4.0, 1.0), {}),
        (KleinBottle(), {}),
        (ProjectiveSpace(2), {}),
        (EmbeddedTorus(steps=2), {}),
        (Hyperbolic(2), {"place": torch.clone, "domain": ((-1, 1), (0.2, 2))}),
        (from_metric(lambda p: torch.eye(2) * (1 + p @ p), dim=2, steps=2), {"domain": ((-1, 1), (-1, 1))}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_every_surface_is_drawn(surface, options):
    picture = SurfacePicture(surface, **options)
    radius = 0.12 * picture.surface.size
    points = picture.spread(3)
    picture.frames(points, group=O2()).disc(points, radius)
    drawn = picture.view()
    assert np.isfinite(drawn.vertices).all()
    base = picture.surface.mesh
    assert len(drawn.faces) > len(base.faces) + 3000
    apart = np.linalg.norm(drawn.vertices - base.vertices[picture.surface._tree.query(drawn.vertices)[1]], axis=1)
    assert apart.max() < 0.12 * picture.surface.size  # all of it close to the surface


def test_pieces_end_where_the_surface_ends():
    picture = SurfacePicture(Euclidean(2), domain=((0, 1), (0, 1)))
    picture.disc([[0.95, 0.5]], 0.3)
    assert corners(picture.view())[:, 0].max() < 1.001
    free = SurfacePicture(Euclidean(2), domain=((0, 2), (0, 1))).disc([[0.95, 0.5]], 0.3)
    assert corners(free.parts[1])[:, 0].max() > 1.2


def corners(drawn):
    """Of the triangles: what is cut off leaves its vertices behind."""
    return drawn.vertices[drawn.faces].reshape(-1, 3)


def on_the_sphere(u):
    """Longitude and colatitude to unit vectors."""
    x, y = torch.cos(u[:, 0]), torch.sin(u[:, 0])
    return torch.stack([torch.sin(u[:, 1]) * x, torch.sin(u[:, 1]) * y, torch.cos(u[:, 1])], -1)


def test_points_that_are_no_coordinates_are_drawn_by_a_chart():
    """A manifold of one's own in space: what is drawn is what the sphere, which is known, draws."""
    picture = SurfacePicture(OwnSphere(), chart=on_the_sphere, domain=((0, 2 * math.pi), (0, math.pi)))
    assert not picture.surface.two_sided  # it closes up
    known = SurfacePicture(Sphere(2))
    for drawn in (picture, known):
        drawn.disc(EQUATOR, 0.5, known.surface.frames_at(EQUATOR, None)).curve(torch.cat([EQUATOR, POLE]))
    ends = [[corners(part).mean(0) for part in drawn.parts[1:]] for drawn in (picture, known)]
    assert np.abs(np.subtract(*ends)).max() < 1e-3
    elsewhere = SurfacePicture(
        OwnSphere(), chart=on_the_sphere, domain=((0, 2 * math.pi), (0, math.pi)), immersion=lambda p: 3 * p + 1
    )
    assert np.abs(elsewhere.surface.mesh.vertices.mean(0) - 1).max() < 0.1


def test_the_projective_plane_lies_smoothly_in_space():
    """On Boy's surface: opposite unit vectors meet, and all directions are stretched alike, none to nothing."""
    p = torch.nn.functional.normalize(torch.randn(500, 3, dtype=torch.float64), dim=-1)
    assert (boy(p) - boy(-p)).abs().max() < FLOAT64
    assert (boy(p) - boy(p * torch.tensor([-1.0, 1.0, 1.0]).double())).abs().max() > 0.1
    e = Sphere(2).frame_at(p)
    steps = torch.stack([(boy(p + 1e-6 * v) - boy(p - 1e-6 * v)) / 2e-6 for v in e.unbind(-1)], -1)
    stretch = torch.linalg.svdvals(steps)
    assert stretch.min() > 0.1
    assert torch.allclose(stretch[:, 0], stretch[:, 1], rtol=1e-6)  # angles are right


def test_periodic_coordinates_go_on():
    torus = EmbeddedTorus(steps=3)
    surface = drawable(torus)
    assert not surface.two_sided
    (patch,) = surface.patches(torch.zeros(1, 2).double(), surface.frames_at(torch.zeros(1, 2).double(), None), 0.4)
    assert patch.coordinates[:, 0].min() == pytest.approx(-0.4, abs=0.01)
    assert drawable(MobiusStrip()).two_sided


def test_kernels_turn_with_the_frames():
    """A kernel drawn from a frame rotated by g is the kernel of g^-1 v: red lies where the frame says."""
    colors = []
    for rotation in (0.0, math.pi / 2):
        frame = torch.tensor(
            [[math.cos(rotation), -math.sin(rotation)], [math.sin(rotation), math.cos(rotation)]]
        ).double()
        picture = SurfacePicture(Euclidean(2)).kernel([[0.0, 0.0]], lambda v: v[:, 0], 0.5, frame, axes=False)
        part = picture.parts[1]
        red = part.vertices[part.colors[:, 0].astype(int) - part.colors[:, 2] > 60].mean(0)
        colors.append(red[:2] / np.linalg.norm(red[:2]))
    assert np.allclose(colors, [[1, 0], [0, 1]], atol=1e-6)


def test_a_layer_gives_the_entry_that_varies_most():
    torch.manual_seed(0)
    conv = GaugeConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0 + 1x2"))
    v = np.random.default_rng(0).uniform(-0.6, 0.6, (50, 2))
    matrix = conv.kernels.evaluate(conv.weight.detach().double(), torch.from_numpy(v)).numpy()
    chosen = kernel_function(conv)(v)
    assert any(np.allclose(chosen, matrix[:, k, 0]) for k in (1, 2))  # the first entry depends on |v| alone
    assert np.allclose(kernel_function(conv, (0, 0))(v), matrix[:, 0, 0])


def test_the_group_adds_its_frames():
    def parts(group):
        return len(SurfacePicture(Sphere(2)).frames(POLE, EQUATOR_FRAME, group=group).parts)

    EQUATOR_FRAME = torch.eye(3, dtype=torch.float64)[:, :2]
    assert parts(Trivial()) < parts(SO2()) < parts(O2()) < parts(Cyclic(4))
    structure = GStructure(Cyclic(4), lambda p: EQUATOR_FRAME.expand(len(p), 3, 2), "nearest", singular_points=-POLE)
    assert len(SurfacePicture(Sphere(2)).frames(POLE, structure).parts) == parts(Cyclic(4))


def test_layers_lie_outside_of_the_surface():
    picture = SurfacePicture(Sphere(2)).kernel(12, lambda v: v[:, 0], 0.3)
    height = np.concatenate([np.linalg.norm(corners(part), axis=1) for part in picture.parts[1:]])
    assert height.min() > 1.0 - 1e-9
    assert height.max() < 1.03


def test_cross_fields_and_frames_by_name(icosphere):
    everywhere = drawable(icosphere).frames_at(torch.arange(icosphere.num_vertices), "first_edge")
    field = CrossField(icosphere, 4, everywhere.numpy())
    picture = SurfacePicture(field).frames([0, 5, 80], field, length=0.2).frames([7], "random", length=0.1)
    assert len(picture.parts) > 3 * 4


# --- files ------------------------------------------------------------------------------------------------------------


def test_files(tmp_path):
    picture = SurfacePicture(Sphere(2)).kernel(POLE, lambda v: v[:, 1], 0.8)
    picture.save(tmp_path / "a.png", size=(120, 90), elevation=80, palette=True)
    image = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert image.shape == (90, 120, 3)
    red, blue = image[..., 0] - image[..., 2] > 60, image[..., 2] - image[..., 0] > 60
    assert red.sum() > 150
    assert blue.sum() > 150
    assert (image[:4] > 240).all()  # paper
    picture.save(tmp_path / "a.html", title="A kernel")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '"colors":{"type":"uint8"' in page
    with pytest.raises(ValueError, match=r"\.png or \.html"):
        picture.save(tmp_path / "a.jpg")


def test_space(tmp_path):
    picture = SpacePicture(Hyperbolic(3))
    conv = GaugeConv(FieldType(SO3(), "1x0"), FieldType(SO3(), "1x1"))
    points = Hyperbolic(3).from_ball(torch.tensor([[0.0, 0.0, 0.0], [0.6, 0.0, 0.0]], dtype=torch.float64))
    picture.kernel(points, conv, 0.5)
    balls = [part for part in picture.parts if len(np.unique(part.colors, axis=0)) > 8]
    sizes = [np.ptp(ball.vertices, axis=0).max() for ball in balls]
    assert len(balls) == 2
    assert sizes[1] < 0.8 * sizes[0]  # lengths shrink towards the edge
    assert np.linalg.norm(picture.view().vertices, axis=1).max() < 1
    assert sizes[0] == pytest.approx(2 * math.tanh(0.15), rel=0.01)


def test_balls_are_seen_from_outside_also_in_reflected_frames():
    frames = torch.stack([torch.eye(3), -torch.eye(3)]).double()
    picture = SpacePicture(Euclidean(3)).kernel(torch.zeros(2, 3), lambda v: v[:, 0], 1.0, frames)
    one, other = picture.parts[:2]
    for ball in (one, other):
        a, b, c = ball.vertices[ball.faces].swapaxes(0, 1)
        assert (a * np.cross(b, c)).sum() / 6 == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.01)
    assert np.abs(one.vertices + other.vertices).max() < FLOAT64  # each vertex opposite


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SurfacePicture(Rotations()), "dimension 2"),
        (lambda: SurfacePicture(Euclidean(3)), "SpacePicture"),
        (lambda: SurfacePicture("sphere"), "a surface to draw"),
        (lambda: SurfacePicture(WithoutExp()), "pass `domain`, `chart`"),
        (lambda: SurfacePicture(from_embedding(lambda p: torch.stack([p[0], p[1], p[0]]), dim=2)), "`domain`"),
        (lambda: SurfacePicture(Euclidean(2), domain=((1, 0), (0, 1))), "a < b"),
        (lambda: SurfacePicture(OwnSphere(), chart=on_the_sphere), "`domain` with `chart`"),
        (lambda: SurfacePicture(Euclidean(2), immersion=lambda p: p), "`domain` with `immersion`"),
        (lambda: SurfacePicture(SPD(2), chart=torch.clone), "dimension 2"),
        (lambda: SurfacePicture(Sphere(2), immersion=lambda p: p[:, :1]), r"`immersion` to map \(N, 3\) to"),
        (lambda: SurfacePicture(Sphere(2)).frames([[0.0, 1.0]]), r"shape \(N, 3\)"),
        (lambda: SurfacePicture(Sphere(2)).frames(POLE, torch.eye(2)), r"\(1, 3, 2\)"),
        (lambda: SurfacePicture(Sphere(2)).disc(POLE, -1.0), "positive `radius`"),
        (lambda: SurfacePicture(Sphere(2)).kernel(POLE, 3, 0.5), "GaugeConv or a function"),
        (lambda: SurfacePicture(Sphere(2)).kernel(POLE, lambda v: v, 0.5), r"\(n,\)"),
        (lambda: SpacePicture(Sphere(2)), "dimension 3"),
        (lambda: SpacePicture(Rotations()), "Expected `immersion` for"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_points_of_a_mesh_are_vertices(icosphere):
    with pytest.raises(ValueError, match="integers"):
        SurfacePicture(icosphere).frames([[0.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match="from 0 to 641"):
        SurfacePicture(icosphere).frames([700])


def test_what_is_not_connected_is_told(icosphere):
    other = np.concatenate([icosphere.vertices, icosphere.vertices + 5, [[0.0, 0.0, 9.0]]])
    n = icosphere.num_vertices
    picture = SurfacePicture(TriangleMesh(other, np.concatenate([icosphere.faces, icosphere.faces + n])))
    with pytest.raises(ValueError, match="different components"):
        picture.curve([0, n])
    with pytest.raises(ValueError, match=f"No geodesic was found from vertex {n} to vertex 0"):
        picture.transported([0, n])
    with pytest.raises(ValueError, match=f"vertex {2 * n} belongs to no triangle"):
        picture.disc([0, 2 * n], 0.3)
    frames = picture.transported([7, 7, 8, 8, 7])  # staying is no way
    assert torch.allclose(frames[0], frames[-1], atol=1e-9)


def test_nothing_spans_from_one_side_of_a_cut_to_the_other(monkeypatch):
    """Arrows over a fork: where geodesics part, one end of a short edge arrives on one prong, one on the other."""
    mesh = fork()

    def longest():
        picture = SurfacePicture(mesh).arrow(torch.arange(0, mesh.num_vertices, 9), "random", (0.0, 0.8))
        edges = [np.linalg.norm(np.diff(part.vertices[part.faces], axis=1), axis=-1) for part in picture.parts[1:]]
        return max(float(e.max(initial=0.0)) for e in edges)

    assert longest() < 0.25
    monkeypatch.setattr("gaugenet.viz.surfaces.mesh_surface.MeshSurface.in_true_size", False)
    assert longest() > 0.4


def fork() -> TriangleMesh:
    """Two prongs on a base, made of cubes of side 0.1."""
    cubes = np.zeros((11, 5, 11), dtype=bool)
    cubes[1:10, 1:4, 1:4] = cubes[1:4, 1:4, 1:10] = cubes[7:10, 1:4, 1:10] = True
    number: dict[tuple[int, ...], int] = {}
    faces = []
    for cube in np.argwhere(cubes):
        for axis, side in itertools.product(range(3), (0, 1)):
            if cubes[tuple(cube + (2 * side - 1) * np.eye(3, dtype=int)[axis])]:
                continue
            u, v = np.roll(np.eye(3, dtype=int), -axis - 1, axis=0)[:2]
            corner = cube + side * np.eye(3, dtype=int)[axis]
            square = [number.setdefault(tuple(corner + a * u + b * v), len(number)) for a, b in SQUARE]
            a, b, c, d = square if side else square[::-1]
            faces += [[a, b, c], [a, c, d]]
    return TriangleMesh(np.array(list(number)) / 10, faces)


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_clipping_keeps_the_area_inside():
    grid = polar_grid(10, 40)

    def area(points, faces):
        a, b, c = points[faces].swapaxes(0, 1)
        return 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()

    whole = area(grid.points, grid.faces)
    faces, points = clipped(grid.faces, grid.points[:, 0] - 0.013, grid.points)
    rest, others = clipped(grid.faces, 0.013 - grid.points[:, 0], grid.points)
    assert points[faces][..., 0].min() > 0.0129
    assert area(points, faces) + area(others, rest) == pytest.approx(whole)
    finer, more = split(grid.faces, grid.points)
    assert len(finer) == 4 * len(grid.faces)
    assert area(more, finer) == pytest.approx(whole)
