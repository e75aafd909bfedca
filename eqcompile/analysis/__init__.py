"""What a solved layer is worth, and what weights a parameterised one can have.

- `collapse` (its own module): how a layer over a fibration acts on the fibres, in exact integers.
- `represent`, `fit`, `check_fit`: matrices as Coulomb and distance-product weights, exactly, or
  as nearly as few charges and positions allow, and what proves that they do not.
- `matrix_to_spectral`, `mlp_to_spectral`, `mlp_to_coulomb`: the same for spectral weights, and
  for whole perceptrons.
- `coulomb_dimension`, `spectral_dimension`, `measure_dimension`: dimensions of families.
- `CoulombMatrix`: molecules as Coulomb matrices.

Weights are floating-point numbers here, in NumPy: nothing on this floor is part of the compiler's
exact way from a group to a layer. Ranks of `measure_dimension` are exact all the same.
"""

from eqcompile.analysis.dimension import Family as Family
from eqcompile.analysis.dimension import coulomb_dimension as coulomb_dimension
from eqcompile.analysis.dimension import coulomb_family as coulomb_family
from eqcompile.analysis.dimension import measure_dimension as measure_dimension
from eqcompile.analysis.dimension import spectral_dimension as spectral_dimension
from eqcompile.analysis.dimension import spectral_family as spectral_family
from eqcompile.analysis.embedding import EmbeddedNetwork as EmbeddedNetwork
from eqcompile.analysis.embedding import SpectralRepresentation as SpectralRepresentation
from eqcompile.analysis.embedding import matrix_to_spectral as matrix_to_spectral
from eqcompile.analysis.embedding import mlp_to_coulomb as mlp_to_coulomb
from eqcompile.analysis.embedding import mlp_to_spectral as mlp_to_spectral
from eqcompile.analysis.fitting import CoulombFit as CoulombFit
from eqcompile.analysis.fitting import fit as fit
from eqcompile.analysis.kernels import Kernel as Kernel
from eqcompile.analysis.molecules import CoulombMatrix as CoulombMatrix
from eqcompile.analysis.molecules import find_square_law_positions as find_square_law_positions
from eqcompile.analysis.obstructions import check_fit as check_fit
from eqcompile.analysis.positions import spread_positions as spread_positions
from eqcompile.analysis.representation import CoulombRepresentation as CoulombRepresentation
from eqcompile.analysis.representation import represent as represent

__all__ = [
    "CoulombFit",
    "CoulombMatrix",
    "CoulombRepresentation",
    "EmbeddedNetwork",
    "Family",
    "Kernel",
    "SpectralRepresentation",
    "check_fit",
    "coulomb_dimension",
    "coulomb_family",
    "find_square_law_positions",
    "fit",
    "matrix_to_spectral",
    "measure_dimension",
    "mlp_to_coulomb",
    "mlp_to_spectral",
    "represent",
    "spectral_dimension",
    "spectral_family",
    "spread_positions",
]
