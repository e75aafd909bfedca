"""The report of a package, and the page of a drawing: spec, derivation, diagrams, proofs, plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eqcompile.draw.derivation import derive_sections
from eqcompile.draw.page import Page, PageBlock, PageSection, make_table, render_page
from eqcompile.draw.program import Proof
from eqcompile.draw.svg import draw_svg
from eqcompile.layers.problem import Degree, LayerProblem, keep_degree
from eqcompile.plan.forms import Choice
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

FOLDED = "The plan"
DRAWN_AFTER = "The solution"
PARAMETER_HEAD = ("Layer", "Family", "Group", "Parameters", "Free", "Dense weights", "Proof")


@dataclass(frozen=True, slots=True)
class ReportedLayer:
    """What is known of one layer.

    Attributes:
        solution: The tyings.
        choice: The forms considered and the plan, if one was chosen.
        proof: What was proven, if it was.
    """

    solution: LayerSolution
    choice: Choice | None = None
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class FurtherLayer:
    """A layer that is no tying, ready to be shown.

    Attributes:
        rows: Its rows in the summary: layer, group, degree, slots, classes, ordered classes,
            zeros, proof.
        section: Its own section.
        parameters: Its row in the summary of parameterised layers, if it is one: layer, family,
            group, parameters, those that are free, weights of a dense layer, proof.
    """

    rows: tuple[tuple[str, ...], ...]
    section: PageSection
    parameters: tuple[str, ...] = ()


def draw_html(tying: Tying) -> str:
    """Draw a tying as an HTML fragment for a page or a notebook."""
    return f'<div style="overflow-x: auto">\n{draw_svg(tying)}</div>\n'


def render_report(
    title: str,
    spec_text: str,
    layers: Sequence[ReportedLayer],
    *,
    facts: Sequence[tuple[str, str]] = (),
    certificate: str = "",
    more: Sequence[FurtherLayer] = (),
) -> str:
    """Render the report of a package as one HTML page that needs nothing else.

    Args:
        title: Name of the package.
        spec_text: The spec as it was written.
        layers: The layers in order.
        facts: Names and values for the head of the page, such as versions and digests.
        certificate: Text of the certificate; empty to leave the section out.
        more: Layers that are no tyings.
    """
    sections = [_summarise(layers, more)]
    if spec_text:
        sections.append(PageSection("spec", "Spec", (PageBlock("text", text=spec_text),)))
    sections += [_report_layer(number, layer) for number, layer in enumerate(layers)]
    sections += [layer.section for layer in more]
    if certificate:
        block = PageBlock("fold", "certificate.json", certificate)
        sections.append(PageSection("certificate", "Certificate", (block,)))
    page = Page(title, "what was asked, derived, proven and chosen", tuple(facts), tuple(sections))
    return render_page(page)


def render_drawing(
    title: str, drawings: Sequence[tuple[str, Tying]], more: Sequence[PageSection] = ()
) -> str:
    """Render a page of diagrams, each with its title, and of further sections after them."""
    sections = tuple(
        PageSection(f"tying-{i}", name, (draw_figure(tying, f"t{i}"),))
        for i, (name, tying) in enumerate(drawings)
    )
    return render_page(Page(title, "tying diagrams", (), (*sections, *more)))


def draw_figure(tying: Tying, key: str) -> PageBlock:
    """Draw a tying as a figure; ``key`` is unique on the page."""
    return PageBlock("figure", picture=draw_svg(tying, key=key))


def _summarise(layers: Sequence[ReportedLayer], more: Sequence[FurtherLayer]) -> PageSection:
    head = ("Layer", "Group", "Degree", "Slots", "Classes", "Ordered classes", "Zeros", "Proof")
    rows = [row for layer in layers for row in _summarise_layer(layer)]
    rows += [row for layer in more for row in layer.rows]
    weighted = [layer.parameters for layer in more if layer.parameters]
    tables = [make_table(head, rows)] if rows or not weighted else []
    tables += [make_table(PARAMETER_HEAD, weighted)] if weighted else []
    return PageSection("summary", "Summary", tuple(tables))


def _summarise_layer(layer: ReportedLayer) -> list[tuple[str, ...]]:
    solution, rows = layer.solution, list[tuple[str, ...]]()
    for degree in solution.problem.degrees:
        tying, ordered = solution.tying(degree), solution.ordered_classes(degree)
        rows.append(
            (
                solution.problem.name,
                solution.problem.group.name,
                solution.problem.spell_degree(degree),
                f"{tying.ansatz.slots:,}",
                f"{tying.classes:,}",
                "" if ordered is None else f"{ordered:,}",
                f"{tying.zeros:,}",
                _spell_proof(layer, degree),
            )
        )
    return rows


def _spell_proof(layer: ReportedLayer, degree: Degree) -> str:
    if layer.proof is None:
        return ""
    place = layer.solution.blocks.index(layer.solution.block(degree, keep_degree(degree)))
    return ", ".join(layer.proof.proofs[place].proof)


def _report_layer(number: int, layer: ReportedLayer) -> PageSection:
    solution, problem = layer.solution, layer.solution.problem
    keys = {d: f"l{number}d{'_'.join(map(str, d))}" for d in problem.degrees}
    figures = [draw_figure(solution.tying(d), key) for d, key in keys.items()]
    blocks: list[PageBlock] = []
    for section in derive_sections(solution, layer.choice, layer.proof):
        kind: Literal["fold", "text"] = "fold" if section.title == FOLDED else "text"
        blocks.append(PageBlock(kind, section.title, "\n".join(section.lines)))
        if section.title == DRAWN_AFTER:
            blocks += figures
    return PageSection(f"layer-{number}", name_layer(problem), tuple(blocks))


def name_layer(problem: LayerProblem) -> str:
    """Name a layer and what acts: ``Quad: S_3, V -> V``."""
    arrow = f"{problem.spell_inputs()} \N{RIGHTWARDS ARROW} {problem.output.text}"
    return f"{problem.name}: {problem.group.name}, {arrow}"
