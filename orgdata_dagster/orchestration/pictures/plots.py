"""Plots by matplotlib, which `pip install 'orgdata[plots]'` installs. Without it, tables are shown instead.

Here: `bars`, one plot per series over the same days. Keep out: the figures (warehouse/ledger/history.py).

This uses matplotlib's figure and canvas, not pyplot, which keeps every figure in memory and is not thread-safe.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from orgdata_dagster.orchestration.pictures.svg import GREY

BLUE = "#4493f8"
_WIDTH, _HEIGHT = 7.2, 1.1  # inches; the height of one series
_LABELS = 6

Series = Mapping[str, Sequence[float]]
"""Title -> one value per day."""


def installed() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def bars(days: Sequence[str], series: Series) -> str | None:
    """The series below each other as SVG; None without matplotlib, or without a day."""
    if not days or not installed():
        return None
    import matplotlib as mpl  # only here: it takes half a second
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "font.size": 8, "svg.hashsalt": "orgdata"}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT * len(series) + 0.3), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        for number, (title, values) in enumerate(series.items(), 1):
            axes = figure.add_subplot(len(series), 1, number)
            axes.stairs(values, [at - 0.5 for at in range(len(days) + 1)], fill=True, color=BLUE)  # one shape: small
            axes.set_title(title, loc="left", color=GREY, fontsize=8, pad=2)
            axes.set_facecolor("none")
            axes.tick_params(colors=GREY, length=2)
            axes.margins(x=0)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3))
            axes.yaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.10g}"))
            for side, spine in axes.spines.items():
                spine.set_visible(side in ("left", "bottom"))
                spine.set_color(GREY)
            step = max(1, -(-len(days) // _LABELS))
            shown = range(0, len(days), step) if number == len(series) else ()
            axes.set_xticks(list(shown), [days[at] for at in shown])
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _compact(file.getvalue())


def _compact(svg: str) -> str:
    """Remove comments, indentation, and the prologue, which an SVG inside a page must not have."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"\n\s*", " ", svg)
