"""Check a built package, or a spec, against everything that was claimed of it.

A package is refused when (1) a digest differs, (2) the tying it stores is not the complete
solution for the generators it stores, which the independent certificate decides, (3) any file
differs from what its spec compiles to, or (4) its own self-check fails. The digests only catch
accidents; (2) and (3) hold against somebody who recomputed every digest.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from eqcompile import anysize, parameterised
from eqcompile.actions.fibrations import Fibration
from eqcompile.driver import (
    Problem,
    Progress,
    carry_layers,
    compile_layer,
    compile_spec,
    keep_quiet,
    render,
)
from eqcompile.emit.claims import FORMAT, dump_json, hash_text
from eqcompile.emit.tying_json import describe_basis
from eqcompile.errors import CertificateError, Refusal, SpecError
from eqcompile.exact.fields import Field, Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.layers.problem import LayerProblem, LinearGenerator, SignedAction, flatten_shape
from eqcompile.solve.ansatz import Ansatz, Rows, name_factors
from eqcompile.solve.basis import Basis
from eqcompile.solve.certificate import BlockProof, prove
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.solver import walk_outputs
from eqcompile.solve.tying import OutputOrbit, Tying
from eqcompile.spec import load
from eqcompile.version import TOOL

CERTIFICATE = "certificate.json"
TYING = "tying.json"
LARGEST_SIDE = 2**26
"""Most rows or columns of a matrix that is read."""


def verify_spec(path: Path, progress: Progress = keep_quiet) -> tuple[str, ...]:
    """Solve and prove a spec again, and lower what can be emitted; return what held."""
    found = carry_layers(load(path), lambda problem: list_proofs(problem, progress))
    return tuple(line for lines in found for line in lines)


def list_proofs(problem: Problem, progress: Progress = keep_quiet) -> list[str]:
    """Prove one layer of any kind; return what held."""
    match problem:
        case LayerProblem():
            return verify_problem(problem, progress)
        case DiagramProblem():
            return anysize.list_proofs(problem, progress)
        case ParameterisedProblem():
            return parameterised.list_proofs(problem, progress)


def verify_problem(problem: LayerProblem, progress: Progress = keep_quiet) -> list[str]:
    """Prove one polynomial layer, one line per block and one per plan."""
    try:
        layer = compile_layer(problem, progress)
    except Refusal as refusal:
        solution = solve_layer(problem, blocks=False, progress=progress)
        progress(f"{problem.name}: proving")
        proofs = [prove(block.tying) for block in solution.blocks]
        return [*_spell_proofs(solution, proofs), f"{problem.name} has no plan: {refusal.text}"]
    lines = _spell_proofs(layer.solution, layer.proofs)
    compared = [("plan", layer.choice.form, layer.plan_proof)]
    if layer.kernels:
        compared.append(("kernels", layer.kernels.form, layer.kernels.proof))
    for what, form, proof in compared:
        lines.append(f"{problem.name} {what} {form}: equal to its ansatz by {proof.method}")
    return lines


def _spell_proofs(solution: LayerSolution, proofs: Sequence[BlockProof]) -> list[str]:
    found = []
    for block, proof in zip(solution.blocks, proofs, strict=True):
        shape, methods = ",".join(map(str, block.parts)), ", ".join(proof.proof)
        degree = solution.problem.spell_degree(block.degree)
        where = f"{solution.problem.name} degree {degree} ({shape})"
        found.append(f"{where}: {proof.classes} classes by {methods}")
    return found


def verify_package(folder: Path, progress: Progress = keep_quiet) -> tuple[str, ...]:
    """Check a built package; return what held, one line each.

    Args:
        folder: The package's folder.
        progress: Called before each long step.

    Raises:
        CertificateError: Something does not hold; the message says what.
    """
    certificate = read_json(folder / CERTIFICATE)
    claims = check_digests(folder, certificate)
    progress("proving the stored tying")
    proven = check_tying(read_json(folder / TYING))
    progress("compiling the spec again")
    compared = check_files(folder, claims)
    progress("running the package's self-check")
    lines = run_selfcheck(folder)
    return (
        f"{len(certificate['files'])} files match their digests",
        f"{proven} stored blocks are fixed by every generator and complete",
        f"{compared} files are what the spec compiles to",
        *lines,
    )


def read_json(path: Path) -> Any:
    """Read a JSON file of a package.

    Raises:
        CertificateError: It is missing or malformed.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CertificateError(f"{path.name} cannot be read: {error}") from None


def check_digests(folder: Path, certificate: Any) -> dict[str, Any]:
    """Check every digest of a certificate and return its claims."""
    try:
        claims, digest, files = (certificate[k] for k in ("claims", "digest", "files"))
        tool, layout = claims["tool"], claims["format"]
        names = {str(name): str(value) for name, value in files.items()}
    except (KeyError, TypeError, AttributeError):
        raise CertificateError("the certificate lacks its claims, digest or files") from None
    if layout != FORMAT or tool != TOOL:
        raise CertificateError(f"the package was made by {tool}, this is {TOOL}; build it again")
    if hash_text(dump_json(claims)) != digest:
        raise CertificateError("the certificate's claims do not match their digest")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    present = {p for p in present if "__pycache__" not in p} - {CERTIFICATE}
    for name in sorted(present ^ set(names)):
        what = "is missing" if name in names else "is not in the certificate"
        raise CertificateError(f"{name} {what}")
    for name in sorted(names):
        if hash_text((folder / name).read_text(encoding="utf-8")) != names[name]:
            raise CertificateError(f"{name} does not match its digest")
    return dict(claims)


def check_tying(data: Any) -> int:
    """Prove every block that ``tying.json`` stores slot by slot; return how many there are.

    The independent certificate reads the stored tables and the stored generators, and nothing of
    the solver: a class split, merged, dropped, freed or flipped is refused here.
    """
    proven = 0
    try:
        for layer in (*data["layers"], *data.get("parameters", ())):
            output = read_action("output", layer["n_out"], layer["output"])
            inputs, linear = read_inputs(layer), read_generators(layer)
            fibration, causes = read_fibration(layer["fibration"]), tuple(layer["generators"])
            for block in layer["blocks"]:
                check_block(inputs, output, causes, linear, fibration, block)
                proven += 1
        proven += anysize.check_stored(data.get("diagram_layers", ()))
        parameterised.check_listed(data)
    except (KeyError, TypeError, ValueError, IndexError, Refusal) as error:
        raise CertificateError(f"{TYING} is malformed: {error!r}") from None
    return proven


def read_inputs(layer: Mapping[str, Any]) -> dict[str, SignedAction]:
    """Read the action on each input, by name; a lone one has none."""
    dims, actions = layer["n_in"], layer["input"]
    if not isinstance(dims, dict):
        return {"": read_action("input", dims, actions)}
    return {name: read_action(name, dims[name], actions[name]) for name in dims}


def read_action(name: str, dim: int, action: Mapping[str, Any]) -> SignedAction:
    """Read one action."""
    squares = tuple(Fraction(square) for square in action["squares"])
    return SignedAction(name, int(dim), read_images(action["images"]), squares)


def read_images(images: Any) -> tuple[SignedPermutation, ...]:
    """Read the image of each generator."""
    return tuple(SignedPermutation(np.array(g["perm"]), np.array(g["signs"])) for g in images)


def check_block(
    inputs: Mapping[str, SignedAction],
    output: SignedAction,
    causes: tuple[str, ...],
    linear: tuple[LinearGenerator, ...],
    fibration: Fibration | None,
    block: Mapping[str, Any],
) -> None:
    """Prove one stored block, or re-solve it where it is too large to be stored slot by slot."""
    parts = block["shape"] if isinstance(block["shape"], dict) else {"": block["shape"]}
    shape = tuple(tuple(int(d) for d in parts[name]) for name in inputs)
    given = [j for j, own in enumerate(shape) for _ in own]
    actions = tuple(inputs.values())
    flat, names = flatten_shape(shape), name_factors(tuple(inputs), shape)
    spread = tuple(replace(g, inputs=tuple(g.inputs[j] for j in given)) for g in linear)
    factors = tuple(actions[j] for j in given)
    bare = Ansatz(output, factors, flat, causes, names, spread, fibration=fibration)
    relations = tuple(read_rows(rows, bare.slots) for rows in block["relations"])
    ansatz = replace(bare, relations=relations)
    if "slots" in block:
        tying = read_tying(ansatz, block["slots"])
        tying = replace(tying, basis=read_basis(block["basis"], tying.coefficients))
    else:
        tying = solve_again(ansatz)
    prove(tying)
    counts = (block["classes"], block["coefficients"], block["zeros"], list(block["sizes"]))
    found = (tying.classes, tying.coefficients, tying.zeros, tying.sizes.tolist())
    if counts != found:
        raise CertificateError(f"{TYING}: classes, zeros or sizes of {flat} are wrong")
    if block["basis"] != (describe_basis(tying.basis) if tying.basis else None):
        raise CertificateError(f"{TYING}: the basis of {flat} is not written in lowest terms")
    representatives = [
        [int(k), [list(part) for part in ansatz.space.tuples(int(a))]]
        for k, a in tying.representatives.tolist()
    ]
    if block["representatives"] != representatives:
        raise CertificateError(f"{TYING}: the representatives of {flat} are not its least slots")


def read_fibration(data: Mapping[str, Any] | None) -> Fibration | None:
    """Read the arrows and fibres of a graph, if there is one; the certificate checks them."""
    if data is None:
        return None
    arrows = tuple((int(a), int(b)) for a, b in data["arrows"])
    return Fibration(arrows, tuple(int(fibre) for fibre in data["fibres"]))


def read_generators(layer: Mapping[str, Any]) -> tuple[LinearGenerator, ...]:
    """Read the generators that are no signed permutations, with one matrix per input."""
    return tuple(
        LinearGenerator(
            str(g["cause"]),
            bool(g["infinitesimal"]),
            tuple(read_matrix(matrix) for matrix in g["inputs"]),
            read_matrix(g["output"]),
        )
        for g in layer["linear"]
    )


def read_matrix(data: Mapping[str, Any]) -> Matrix:
    """Read an exact matrix."""
    shape = int(data["height"]), int(data["width"])
    if not all(0 <= size <= LARGEST_SIDE for size in shape):
        raise CertificateError(f"{TYING}: no matrix of a layer is {shape[0]} x {shape[1]}")
    places = ((i, j, number) for i, j, number in data["entries"])
    return _read_entries(data, data["denominator"], places, *shape)


def _read_entries(
    data: Mapping[str, Any],
    denominator: int,
    entries: Iterable[tuple[int, int, Sequence[int]]],
    height: int,
    width: int,
) -> Matrix:
    field = Field(int(data["conductor"]))
    numbers = ((i, j, Scalar(field, tuple(n), int(denominator))) for i, j, n in entries)
    return Matrix.from_entries(height, width, numbers)


def read_rows(data: Mapping[str, Any], slots: int) -> Rows:
    """Read further equations between the slots of a block."""
    matrix = read_matrix(data["matrix"])
    right = None if data["right"] is None else read_matrix(data["right"])
    if matrix.width != slots or (right is not None and right.shape != (matrix.height, 1)):
        raise CertificateError(f"{TYING}: the equations of {data['cause']} have a wrong shape")
    return Rows(str(data["cause"]), matrix, right)


def read_basis(data: Mapping[str, Any] | None, coefficients: int) -> Basis | None:
    """Read how the coefficients of a block are claimed to depend on each other."""
    if data is None:
        return None
    free = np.array(data["free"], dtype=np.int64)
    size = (coefficients, len(free))
    matrix = _read_entries(data, data["denominator"], data["entries"], *size)
    offset, fixed = None, data["offset"]
    if fixed is not None:
        entries = ((c, 0, number) for c, number in fixed["entries"])
        offset = _read_entries(data, fixed["denominator"], entries, coefficients, 1)
    squares = tuple(Fraction(square) for square in data["squares"])
    return Basis(matrix, free, offset, squares)


def read_tying(ansatz: Ansatz, slots: Any) -> Tying:
    """Read a stored slot table, ``+-(class + 1)`` or 0 per slot, as a claimed tying."""
    table = np.array(slots, dtype=np.int64)
    if table.shape != (ansatz.output.dim, ansatz.space.size):
        raise CertificateError(f"{TYING}: the slot table of {ansatz.shape} has a wrong shape")
    if np.abs(table).max(initial=0) > table.size:
        raise CertificateError(f"{TYING}: the slot table of {ansatz.shape} names absent classes")
    orbits = tuple(
        OutputOrbit(w.outputs, w.parents, w.steps, np.abs(row) - 1, np.sign(row))
        for w in walk_outputs(ansatz.output)
        for row in (table[w.outputs[0]],)
    )
    tying = Tying(ansatz, orbits)
    labels, signs = tying.table()
    if not np.array_equal(_join(labels, signs), table):
        raise CertificateError(f"{TYING}: a class of {ansatz.shape} is not fixed by a generator")
    return tying


def _join(labels: IntArray, signs: IntArray) -> IntArray:
    return (labels + 1) * signs


def solve_again(ansatz: Ansatz) -> Tying:
    """Solve a block that is stored by representatives only."""
    from eqcompile.solve.constraints import constrain
    from eqcompile.solve.solver import solve

    return solve(constrain(ansatz))


def check_files(folder: Path, claims: Mapping[str, Any]) -> int:
    """Compile the spec of a package again and compare every file, byte by byte."""
    try:
        spec = claims["spec"]
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch) / "spec.yaml"
            for name, text in spec["files"].items():
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise CertificateError(f"the certificate names the file {name!r}")
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / name).write_text(text)
            source.write_text(spec["text"])
            expected = render(compile_spec(load(source)))
    except (KeyError, TypeError, AttributeError, SpecError) as error:
        raise CertificateError(f"the spec in the certificate does not compile: {error}") from None
    # The certificate repeats the digests of the others, so a changed file is named before it.
    for name in sorted(expected, key=lambda n: (n == CERTIFICATE, n)):
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != expected[name]:
            raise CertificateError(f"{name} is not what the spec compiles to")
    extra = {p.name for p in folder.iterdir() if p.name != "__pycache__"} - set(expected)
    for name in sorted(extra):
        raise CertificateError(f"{name} is not what the spec compiles to")
    return len(expected)


def run_selfcheck(folder: Path) -> tuple[str, ...]:
    """Run a package's own checks in a process of its own."""
    code = (
        "import runpy, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "module = sys.argv.pop() + '.selfcheck'\n"
        "runpy.run_module(module, run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, str(folder.resolve().parent), folder.resolve().name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = (done.stdout + done.stderr)[-2000:]
        raise CertificateError(f"the package's self-check failed:\n{tail}")
    return ("the package's self-check passed",)
