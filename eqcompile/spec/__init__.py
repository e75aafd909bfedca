"""The spec: YAML to checked content with the place of every value, and its JSON Schema."""

from eqcompile.spec.loader import Spec as Spec
from eqcompile.spec.loader import load as load
from eqcompile.spec.loader import read_files as read_files
