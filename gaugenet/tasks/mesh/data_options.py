"""The meshes of a training, and how they become inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gaugenet.geometry.mesh.options import MEAN_NEIGHBORS, NeighborhoodOptions
from gaugenet.tasks.training.expressions import build_all, own_classes
from gaugenet.tasks.training.options import TaskError, check
from gaugenet.tasks.training.own_classes import import_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from gaugenet.data import InputFeatures, MeshDataset
    from gaugenet.data.meshes.classes import ClassTable

TaskName = Literal["segmentation", "correspondence", "classification"]
Format = Literal["auto", "meshcnn", "folder", "faust", "shrec"]
Repair = Literal["never", "lossless", "always"]
Split = Literal["train", "val", "test"]

_DEFAULT_FORMAT: dict[str, Format] = {"correspondence": "faust", "classification": "shrec"}


@dataclass(frozen=True)
class GeometryOptions(NeighborhoodOptions):
    """How a mesh becomes a gauge graph with levels for pooling (see `gaugenet.geometry.hierarchy`).

    Attributes:
        group: structure group, SO(2) on oriented surfaces or O(2) on any.
        levels: number of levels, including the finest.
        ratio: factor by which each level has fewer points.
        neighborhood: of the finest level, geodesic or one_ring.
        radius: geodesic radius of the finest level, in the units of the meshes; instead of mean_neighbors.
        relative_radius: geodesic radius over the square root of the area of a mesh; instead of mean_neighbors.
        mean_neighbors: neighbours of a point, on average over the training meshes; 16 where there is no radius. The
            training writes the relative radius that it means into the run, so that meshes of any resolution are read
            alike.
        density: points within the radius on the training meshes, which the training counts; it sets the coarser levels.
        max_neighbors: largest number of neighbours, the nearest ones; none keeps all.
        lengths: metric, or local for kernels that follow the sampling of uneven meshes.
        frames: frames at the vertices: first_edge, random or principal; they do not affect an equivariant network.
        seed: of random frames.
    """

    max_neighbors: int | None = 64
    frames: str = "first_edge"
    seed: int | None = 0
    levels: int = 3
    group: str = "SO(2)"

    def __post_init__(self) -> None:
        check(self.levels >= 1, "geometry.levels", "at least 1", self.levels)
        check(self.ratio > 1, "geometry.ratio", "above 1", self.ratio)
        if self.sized() is not self:
            object.__setattr__(self, "mean_neighbors", MEAN_NEIGHBORS)  # written into the run as a number
        if self.mean_neighbors is not None:
            check(self.mean_neighbors > 0, "geometry.mean_neighbors", "positive", self.mean_neighbors)
        super().__post_init__()


@dataclass(frozen=True)
class DataOptions:
    """The meshes of a training, their features, and their augmentation.

    Attributes:
        root: folder of the data set.
        format: layout of the folder; auto takes the MeshCNN layout where it finds seg/, else a labelled folder.
        holdout: glob patterns, separated by commas, of training meshes held out for validation (MeshCNN layout).
        labels: whether labels belong to vertices or faces, if their number cannot tell (labelled folder).
        label_property: name of the labels in PLY files, a property of the vertices or of the faces.
        fractions: shares of training, validation and test of a folder without these subfolders, drawn at random.
        val_people: number of FAUST's training people that are held out for validation.
        train_per_class: number of training meshes of a class (SHREC), including validation.
        val_per_class: number of these that are held out for validation.
        train_size: number of random training meshes; 0 takes all.
        split_seed: seed of random splits, folds and train_size.
        folds: number of folds of a cross-validation; trains one network for each, on the others; 0 for none.
        fold: train only this one of the folds, counted from 0.
        group: meshes of one group stay together in folds and random splits: a glob such as patient_*, where a star
            ends at the next "_.,/ -", or a regular expression with the group in parentheses.
        features: input features, as constructor calls of gaugenet.data separated by commas; your own class as
            module:Class().
        inputs: fields in the files of the meshes that are also inputs, by name, such as {inflow_distance: scalar,
            wall_normal: vector}.
        augment: augmentations of the training meshes, as constructor calls; empty for none.
        remesh: other meshes of each training mesh that are trained on as well, as constructor calls, such as
            Decimation(0.5), IsotropicRemeshing(); each entry makes an epoch longer by its first length.
        random_gauge: draw new frames at every step, for networks that are not exactly equivariant.
        noise: standard deviation of noise added to the features.
        batch_size: meshes in a step, over all processes.
        repair: never, lossless (only where every face is kept, e.g. splitting vertices where fans touch) or always.
        cache: folder of prepared meshes, created if missing; by default the folder cache/ of the run, "none" for none.
        n_jobs: threads that prepare meshes; -1 uses all cores.
        num_workers: processes that augment ahead of the training; 0 does it in the training process.
        held_out: the meshes of the fold, by their index in the folder; follows from the other options.
    """

    root: Path | None = None
    format: Format = "auto"
    holdout: str | None = None
    labels: Literal["auto", "vertices", "faces"] = "auto"
    label_property: str = "label"
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    val_people: int = 0
    train_per_class: int = 10
    val_per_class: int = 0
    train_size: int = 0
    split_seed: int = 0
    folds: int = 0
    fold: int | None = None
    group: str | None = None
    features: str = "HeatKernelSignature()"
    inputs: dict[str, Any] | None = None
    augment: str = ""
    remesh: str = ""
    random_gauge: bool = False
    noise: float = 0.0
    batch_size: int = 4
    repair: Repair = "lossless"
    cache: Path | None = None
    n_jobs: int = -1
    num_workers: int = 0
    held_out: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check(self.batch_size >= 1, "data.batch_size", "at least 1", self.batch_size)
        check(self.noise >= 0, "data.noise", "at least 0", self.noise)
        check(self.n_jobs != 0, "data.n_jobs", "positive, or -1 for all cores", self.n_jobs)
        for name in ("val_people", "val_per_class", "train_size", "split_seed"):
            check(getattr(self, name) >= 0, f"data.{name}", "at least 0", getattr(self, name))
        check(self.train_per_class >= 1, "data.train_per_class", "at least 1", self.train_per_class)
        check(self.num_workers >= 0, "data.num_workers", "at least 0", self.num_workers)
        check(self.folds == 0 or self.folds >= 2, "data.folds", "of at least 2, or 0 for none", self.folds)
        if self.fold is not None:
            check(0 <= self.fold < self.folds, "data.fold", f"from 0 to below data.folds = {self.folds}", self.fold)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a run's description, without the locations of data and cache."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if callable(self.group):
            values["group"] = getattr(self.group, "__name__", "a function")
        return {k: v for k, v in values.items() if k not in ("root", "cache", "n_jobs", "num_workers")}

    @classmethod
    def from_dict(cls, values: dict[str, Any], **changes: Any) -> Self:
        """Read the values of `as_dict`, with changes."""
        known = {f.name for f in fields(cls)}
        return replace(cls(**{k: v for k, v in values.items() if k in known}), **changes)

    def input_features(self, own: Sequence[str] | None = None) -> InputFeatures:
        """Return the transform that computes the network's input.

        Args:
            own: the feature classes outside of this library that may be imported, as `module:Class`; by default the
                classes in `features`. Pass a list if `features` was read from a file.

        Raises:
            TaskError: If a text does not name a feature, or a class cannot be imported.
            ValueError: If an entry of `inputs` cannot be used, or there are no features.
        """
        import gaugenet.data as data
        from gaugenet.data.fields.on_graph import FieldInput
        from gaugenet.data.fields.spec import parse_fields

        classes = import_classes(own_classes(self.features) if own is None else own, data.InputFeature)
        computed = build_all(self.features, subclasses_in(data, data.InputFeature) | classes)
        given = [FieldInput(spec) for spec in parse_fields(self.inputs, "data.inputs")]
        return data.InputFeatures([*computed, *given])


def subclasses_in(module: Any, base: type) -> dict[str, type]:
    """Return the public classes of a module that derive from `base`, by name."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, base) and c is not base}


def cache_folder(asked: Path | None, run: Path) -> Path | None:
    """Return the folder of cached meshes: in the run, unless another folder or `none` is given."""
    if asked is None:
        return run / "cache"
    return None if str(asked) == "none" else asked


def open_dataset(
    task: TaskName, options: DataOptions, split: Split, *, trained: ClassTable | None = None
) -> MeshDataset:
    """Return the labelled meshes of a split.

    Args:
        task: the task that the labels are for.
        options: the options of the data.
        split: part of the data set.
        trained: the classes of a trained network, see `gaugenet.data.LabelledMeshFolder`.

    Raises:
        TaskError: If no folder is given, or its labels do not suit the task.
        DataError: If the folder does not have its layout, or the split is empty or smaller than `train_size`.
    """
    if options.root is None:
        raise TaskError("No data: pass the folder with --data DIR.")
    layout = layout_of(task, options)
    if options.group is not None and not options.folds and layout != "folder":
        raise TaskError("--data.group keeps meshes together in folds (--data.folds) and in folders split at random.")
    if options.held_out is not None and split != "test":
        from gaugenet.tasks.mesh.folds import part_of_fold

        dataset = part_of_fold(pooled(task, options, trained), options, split)
    else:
        if options.held_out is not None and (layout == "shrec" or is_split_at_random(layout, options.root)):
            raise TaskError("The folds take all meshes, and leave no test part: --split val scores what one held out.")
        dataset = _open(layout, options, split, trained)
    dataset = limited(dataset, options, split)
    wanted = {"segmentation": ("faces", "vertices"), "correspondence": ("vertices",), "classification": ("shape",)}
    if dataset.label_kind not in wanted[task]:
        raise TaskError(
            f"{options.root} has labels of {dataset.label_kind}, "
            f"but {task} needs labels of {' or '.join(wanted[task])}."
        )
    return dataset


def limited(dataset: MeshDataset, options: DataOptions, split: Split) -> MeshDataset:
    """Return the meshes of a split, of the training part only `train_size` random ones.

    A smaller subset of one `split_seed` is contained in a larger one.

    Raises:
        DataError: If the training part has fewer meshes.
    """
    import numpy as np

    from gaugenet.data import DataError
    from gaugenet.data.meshes.sample import ChosenMeshes

    size = options.train_size
    if not size or split != "train":
        return dataset
    if size > len(dataset):
        raise DataError(f"`data.train_size` is {size}, but the training part has {len(dataset)} meshes.")
    chosen = sorted(np.random.default_rng(options.split_seed).permutation(len(dataset))[:size])
    return ChosenMeshes(dataset, [dataset.paths[k] for k in chosen], dataset.paths)


def has_validation(task: TaskName, options: DataOptions) -> bool:
    """Return whether the options set a validation part aside."""
    if options.held_out is not None:
        return True
    root = options.root or Path()
    layout = layout_of(task, options)
    if layout == "meshcnn":
        return options.holdout is not None or (root / "val").is_dir()
    if layout == "folder":
        return (root / "val").is_dir() or (is_split_at_random(layout, root) and options.fractions[1] > 0)
    return options.val_people > 0 if layout == "faust" else options.val_per_class > 0


def is_split_at_random(layout: Format, root: Path) -> bool:
    """Return whether a labelled folder has no subfolders for the splits."""
    from gaugenet.data.meshes import folder

    return layout == "folder" and folder.is_split_at_random(root)


def layout_of(task: TaskName, options: DataOptions) -> Format:
    """Return the layout of the folder, found from its content for `auto`."""
    if options.format != "auto":
        return options.format
    if task in _DEFAULT_FORMAT:
        return _DEFAULT_FORMAT[task]
    return "meshcnn" if options.root is not None and (options.root / "seg").is_dir() else "folder"


def pooled(task: TaskName, options: DataOptions, trained: ClassTable | None = None) -> tuple[MeshDataset, list[Path]]:
    """Return a reader of the data set, and the meshes that are divided into folds.

    These are the meshes of training and validation, or all if the layout has no fixed test part.

    Raises:
        TaskError: If other options hold meshes out as well.
    """
    layout = layout_of(task, options)
    if options.holdout is not None or options.val_people or options.val_per_class:
        raise TaskError("--data.folds hold meshes out: leave out holdout, val_people and val_per_class.")
    dataset: Any = _open(layout, options, "train", trained)
    if layout in ("folder", "shrec"):
        return dataset, list(dataset.pool)
    val = options.root is not None and layout == "meshcnn" and (options.root / "val").is_dir()
    return dataset, sorted([*dataset.paths, *(_open(layout, options, "val", trained).paths if val else ())])


def _open(layout: Format, options: DataOptions, split: Split, trained: ClassTable | None = None) -> MeshDataset:
    from gaugenet import data

    root = options.root or Path()
    if layout == "meshcnn":
        patterns = [p.strip() for p in (options.holdout or "").split(",") if p.strip()]
        return data.MeshCNNSegmentation(root, split, holdout=patterns or None, trained=trained)
    if layout == "folder":
        if options.holdout is not None:
            raise TaskError(
                f"--holdout is for the MeshCNN layout, but {root} has no seg/: put meshes into {root / 'val'}."
            )
        fractions: Any = tuple(options.fractions)
        return data.LabelledMeshFolder(
            root,
            split,
            labels=options.labels,
            fractions=fractions,
            seed=options.split_seed,
            group=None if options.folds else options.group,
            label_property=options.label_property,
            trained=trained,
        )
    if layout == "faust":
        return data.FaustRegistrations(root, split, val_people=options.val_people)
    return data.ShrecClassification(
        root,
        split,
        train_per_class=options.train_per_class,
        val_per_class=options.val_per_class,
        seed=options.split_seed,
    )
