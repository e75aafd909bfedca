"""Names that a spec gives: of packages, layers, groups, representations and inputs."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from eqcompile.actions.syntax import RESERVED
from eqcompile.reading import refuse_value, shorten

MAX_NAME = 64
# Without the look-ahead a Python validator of the schema would let a final newline pass.
_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*(?!\n)$"
_SCHEMA = {"type": "string", "pattern": _PATTERN, "maxLength": MAX_NAME}

# What an emitted package imports or is made of; a class of that name would hide it.
EMITTED_MODULES = frozenset({"kernels", "layers", "ops", "reference", "selfcheck"})
# What it imports when a kernel first runs, which would hide a class of that name.
LATE_MODULES = frozenset({"blocks", "depthwise", "launch", "straight"})
IMPORTED_PACKAGES = frozenset({"eqcompile", "torch", "triton"})


def _check_name(name: str) -> str:
    if not re.fullmatch(_PATTERN, name):
        text = f"{shorten(name)!r} is no name: ASCII letters, digits and _, a letter first"
        raise refuse_value("name", text, f"write for example {_repair_name(name)!r}")
    if len(name) > MAX_NAME:
        text = f"a name has at most {MAX_NAME} characters, this one {len(name)}"
        raise refuse_value("name", text, "write a shorter name")
    if keyword.iskeyword(name):
        raise _refuse_reserved(name, "a keyword of Python")
    return name


def _repair_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    kept = kept.lstrip("0123456789_")
    return shorten(kept) if kept and not keyword.iskeyword(kept) else "Quad"


def _refuse_reserved(name: str, what: str) -> Exception:
    return refuse_value("reserved-name", f"{name!r} is {what}", f"write for example 'my_{name}'")


def _check_package(name: str) -> str:
    if name in IMPORTED_PACKAGES:
        raise _refuse_reserved(name, "a package that eqcompile or its output needs")
    if name in sys.stdlib_module_names:
        raise _refuse_reserved(name, "a module of the standard library")
    return name


def _check_layer(name: str) -> str:
    if name in EMITTED_MODULES | LATE_MODULES | IMPORTED_PACKAGES:
        raise _refuse_reserved(name, "a module of the emitted package")
    if hasattr(builtins, name):
        raise _refuse_reserved(name, "a builtin of Python")
    return name


def _check_word(name: str) -> str:
    if name in RESERVED:
        raise _refuse_reserved(name, "a word of representation expressions")
    return name


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema(_SCHEMA)]
PackageName = Annotated[Name, AfterValidator(_check_package), WithJsonSchema(_SCHEMA)]
LayerName = Annotated[Name, AfterValidator(_check_layer), WithJsonSchema(_SCHEMA)]
ActionName = Annotated[Name, AfterValidator(_check_word), WithJsonSchema(_SCHEMA)]
