"""Written images of the generators of a group, read and checked."""

from __future__ import annotations

from collections.abc import Sequence

from eqcompile.actions.consistency import check_action
from eqcompile.actions.group import Group, Representation, measure_image
from eqcompile.actions.images import settle_image
from eqcompile.actions.sizes import spell_quantity
from eqcompile.actions.written import read_permutations, read_signed
from eqcompile.actions.written_matrices import WrittenMatrix, read_matrices
from eqcompile.errors import Refusal, Refusals
from eqcompile.exact.matrices import Matrix
from eqcompile.spec.entries import Images
from eqcompile.spec.positions import Path


def read_images(model: Images, group: Group, what: str, *, bare: bool = False) -> Representation:
    """Read written images of the generators of a group, and check that they are an action of it.

    Args:
        model: The images.
        group: The group.
        what: What messages call them.
        bare: Whether the spec has a list of permutations without a key.

    Raises:
        Refusal: Not one image per generator, or they break a relation of the generators.
        Refusals: Something is wrong with several of them.
    """
    if model.permutations is None and model.signed_permutations is None:
        return _read_matrix_images(model, group, what)
    key = "permutations" if model.permutations is not None else "signed_permutations"
    at: Path = () if bare else (key,)
    if group.algebra:
        labels = _list_labels(group, infinitesimal=True)
        text = f"{what} has no images of {labels}, the Lie algebra of {group.name}"
        raise Refusal("image-count", text, "write {matrices: [...], lie_algebra: [...]}", at)
    if model.permutations is not None:
        images = read_permutations(model.permutations, None, at)
    else:
        images = read_signed(model.signed_permutations or (), None, at)
    if not group.is_signed:
        _check_count(len(images), group, what, at, infinitesimal=False)
    check_action(group, images, (), what, (at, ()))
    return Representation(_name(what), images[0].n, images)


def _read_matrix_images(model: Images, group: Group, what: str) -> Representation:
    """Read images given by matrices, discrete ones and those of the Lie algebra."""
    found: list[Refusal] = []
    read: dict[str, tuple[Matrix, ...]] = {}
    size = None
    for key in ("matrices", "lie_algebra"):
        written: Sequence[WrittenMatrix] = getattr(model, key) or ()
        try:
            discrete = key == "matrices"
            read[key] = read_matrices(written, size, (key,), invertible=discrete)
            size = read[key][0].height if read[key] else size
            at: Path = (key,) if getattr(model, key) is not None else ()
            _check_count(len(written), group, what, at, infinitesimal=not discrete)
        except Refusals as refusals:
            found += refusals.refusals
        except Refusal as refusal:
            found.append(refusal)
    if found:
        raise Refusals(tuple(found))
    images = tuple(settle_image(matrix) for matrix in read["matrices"])
    algebra = read["lie_algebra"]
    places: tuple[Path, Path] = (("matrices",), ("lie_algebra",))
    scope = check_action(group, images, algebra, what, places)
    dim = measure_image((*images, *algebra)[0])
    return Representation(_name(what), dim, images, algebra, scope=scope)


def _name(what: str) -> str:
    return what.removeprefix("the ")


def _list_labels(group: Group, *, infinitesimal: bool) -> str:
    split = len(group.generators)
    labels = group.labels[split:] if infinitesimal else group.labels[:split]
    return ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")


def _check_count(number: int, group: Group, what: str, at: Path, *, infinitesimal: bool) -> None:
    """Refuse more or fewer images than there are generators of a kind."""
    wanted = len(group.algebra if infinitesimal else group.generators)
    if number == wanted:
        return
    kind = "infinitesimal " if infinitesimal else "discrete " if group.algebra else ""
    text = (
        f"{what} has {spell_quantity(number, f'{kind}image')}, {group.name} has "
        f"{spell_quantity(wanted, f'{kind}generator')}"
    )
    listed = _list_labels(group, infinitesimal=infinitesimal)
    help = f"give one image for each of {listed}, in this order" if wanted else "leave them out"
    raise Refusal("image-count", text, help, at)
