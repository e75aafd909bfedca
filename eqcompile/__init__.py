"""eqcompile: a symbolic constraint compiler for equivariant polynomial networks.

Give it a group action and a degree; it solves which coefficients of the layer polynomial are tied
by equivariance, proves the answer, and emits a PyTorch package::

    import eqcompile

    tyings = eqcompile.solve(spec)         # {layer: {degree: Tying}}
    eqcompile.build(spec, "build")         # writes build/<package>
    nets = eqcompile.compile(spec)         # builds into a cache and imports it

A spec is a path, a YAML text or a dict.
"""

from eqcompile.driver import build as build
from eqcompile.driver import compile as compile
from eqcompile.driver import solve as solve
from eqcompile.errors import CertificateError as CertificateError
from eqcompile.errors import EqcompileError as EqcompileError
from eqcompile.errors import SpecError as SpecError
from eqcompile.solve.tying import Tying as Tying
from eqcompile.spec import Spec as Spec
from eqcompile.spec import load as load
from eqcompile.version import VERSION as __version__

__all__ = [
    "CertificateError",
    "EqcompileError",
    "Spec",
    "SpecError",
    "Tying",
    "__version__",
    "build",
    "compile",
    "load",
    "solve",
]
