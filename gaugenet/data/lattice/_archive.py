"""Shared parts of files of links and of archives of SU(3): four dimensions, links by site, x fastest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gaugenet.files import OutputError
from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.arguments import LEAST_EXTENT
from gaugenet.groups import SU


def new_file(path: str | Path, *, overwrite: bool) -> Path:
    """Return `path` as a file that can be written.

    Raises:
        OutputError: If it exists and `overwrite` is false, or something is in the way.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} already exists: pass `overwrite=True` to replace it, or choose another name.")
    blocking = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if blocking is not None and not blocking.is_dir():
        raise OutputError(f"Expected a folder for {path}, got the file {blocking}.")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report a folder or file that cannot be written as an error about the output.

    Raises:
        OutputError: If the block could not write.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"Expected {path} to be writable: {reason}. Choose a folder that you may write to."
        ) from error


def content_of(path: str | Path, kind: str) -> tuple[Path, bytes]:
    """Return the path and the bytes of an archive, or raise `ValueError`."""
    path = Path(path)
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise ValueError(f"Expected {kind} at {path}: {error.strerror or error}.") from error


def stored_extents(extents: Sequence[int], path: Path) -> None:
    """Raise `ValueError` unless a file has extents that a lattice can have."""
    if min(extents) < LEAST_EXTENT:
        raise ValueError(f"Expected extents of at least {LEAST_EXTENT} in {path}, got {tuple(extents)}.")


def stored_links(links: Complex[Tensor, "1 4 x y z t 3 3"], path: Path) -> LatticeGaugeField:
    """Return links from a file as a domain.

    Raises:
        ValueError: If they are not in SU(3): damaged, or stored in another order of bytes than the file says.
    """
    try:
        return LatticeGaugeField(links, SU(3))
    except ValueError as error:
        swapped = np.ascontiguousarray(torch.view_as_real(links).numpy()).byteswap()
        other = torch.view_as_complex(torch.from_numpy(swapped))
        plausible = bool((SU(3).distance(other) < 1e-5).all())
        hint = "the bytes are in the opposite order" if plausible else "the file is damaged, or of another layout"
        raise ValueError(f"Expected links of SU(3) in {path}: {hint}. {error}") from error


def one_configuration(links: Complex[Tensor, "1 4 x y z t 3 3"]) -> LatticeGaugeField:
    """Return the links as a domain.

    Raises:
        ValueError: If the links are not one SU(3) configuration in four dimensions, in double precision.
    """
    field = LatticeGaugeField(links.detach().cpu() if isinstance(links, Tensor) else links, SU(3))
    if field.links.dtype != torch.complex128:
        raise ValueError(
            f"Expected `links` in double precision, got {field.links.dtype}: pass "
            "`group.project(links.to(torch.complex128))`."
        )
    if field.d != 4 or field.batch_size != 1:
        raise ValueError(f"Expected `links` of shape (1, 4, X, Y, Z, T, 3, 3), got {tuple(links.shape)}.")
    return field


def archived(links: Complex[Tensor, "1 4 x y z t 3 3"]) -> bytes:
    """Return the links as archives store them: double precision, big endian, order (t, z, y, x, mu, row, column)."""
    matrices = links[0].permute(4, 3, 2, 1, 0, 5, 6).resolve_conj().contiguous()
    return torch.view_as_real(matrices).numpy().astype(">f8").tobytes()


def from_archive(matrices: Complex[np.ndarray, "t z y x 4 3 3"], *, single: bool) -> Complex[Tensor, "1 4 x y z t 3 3"]:
    """Return the links of stored matrices, projected to SU(3) if they were rounded to single precision."""
    links = torch.from_numpy(np.ascontiguousarray(matrices.transpose(4, 3, 2, 1, 0, 5, 6)))[None]
    finite = bool(torch.view_as_real(links).isfinite().all())
    return SU(3).project(links) if single and finite and not _far_from_unitary(links) else links


def _far_from_unitary(links: Complex[Tensor, "1 4 x y z t 3 3"]) -> bool:
    """Return whether rounding to single precision cannot be the reason for the distance from SU(3)."""
    return bool((SU(3).distance(links) > 1e-4).any())


__all__ = [
    "archived",
    "content_of",
    "from_archive",
    "new_file",
    "one_configuration",
    "stored_extents",
    "stored_links",
    "writing",
]
