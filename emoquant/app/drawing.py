"""The map of emotions as a figure: where a recording lies, and where a codec moves it."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emoquant.app.atlas import Atlas
from emoquant.app.workbench import Hearing
from emoquant.reports.quantities import point_text
from emoquant.reports.style import line_style


def draw_map(atlas: Atlas, hearing: Hearing | None = None, point: int = 0) -> Figure:
    """Return the map; with a recording, its way over lambda.

    Args:
        atlas: The map.
        hearing: The recording through a codec; None for the emotions alone.
        point: Index of the lambda that is marked.
    """
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for number, emotion in enumerate(atlas.emotions):
        members = atlas.points[atlas.labels == number]
        tint, shape, *_ = line_style(emotion, number)
        axes.scatter(members[:, 0], members[:, 1], s=9, marker=shape, color=tint, alpha=0.25, linewidths=0)
        centre = members.mean(0)
        axes.scatter(centre[0], centre[1], s=110, marker=shape, color=tint, edgecolors="white")
        axes.annotate(
            emotion,
            (float(centre[0]), float(centre[1])),
            (7, 7),
            textcoords="offset points",
            parse_math=False,
            fontsize=10,
            weight="bold",
        )
    if hearing is not None:
        _draw_way(axes, atlas, hearing, point)
    first, second = (f"{100 * float(share):.0f} % of the variance" for share in atlas.explained)
    axes.set_xlabel(f"first principal direction ({first})")
    axes.set_ylabel(f"second principal direction ({second})")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_way(axes: Axes, atlas: Atlas, hearing: Hearing, point: int) -> None:
    start = atlas.place(hearing.before.vector)
    way = [atlas.place(emotion.vector) for emotion in hearing.after]
    axes.plot([p[0] for p in (start, *way)], [p[1] for p in (start, *way)], "-", color="#555", lw=1, zorder=3)
    axes.scatter([p[0] for p in way], [p[1] for p in way], s=14, color="#555", zorder=3)
    axes.scatter(start[0], start[1], s=170, marker="*", color="black", zorder=4, label="your recording")
    here = way[point]
    label = f"at \u03bb {point_text(hearing.points[point])}"
    axes.scatter(here[0], here[1], s=150, facecolors="none", edgecolors="black", lw=2, zorder=5, label=label)
    axes.legend(loc="best", frameon=False)
