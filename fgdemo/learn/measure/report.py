"""What `evaluate` found, as one HTML file that needs nothing else: figures with intervals, plots, the worst first."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from fgdemo.learn.measure.plots import Axis, Line, bar_plot, line_plot, percent_axis, reliability_plot
from fgdemo.values.counting import counted
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Interval

MOST_KINDS, MOST_PAIRS = 40, 20
WIDE = 760

WORDS: Mapping[str, tuple[str, str, str]] = {
    "top1": ("Top-1", "%", "the likeliest kind is right"),
    "top5": ("Top-5", "%", "right within the five likeliest"),
    "macro": ("Mean over kinds", "%", "every kind counts the same"),
    "ece": ("Calibration error", "", "0 is honest; 15 bins"),
    "nll": ("Log loss", "", "nats a picture, low is good"),
    "brier": ("Brier score", "", "0 to 2, low is good"),
    "coverage": ("Sets that hold the truth", "%", "prediction sets"),
    "set_size": ("Kinds in a set", "", "on average"),
    "risk_area": ("Risk–coverage area", "", "mean risk over all coverages, low is good"),
    "selective": ("Top-1 of the surest 80 %", "%", "if the rest may stay open"),
    "mistake_distance": ("How far mistakes are off", "", "steps up the tree; 1 is a sibling"),
    "unknown_auroc": ("Unknown things: AUROC", "", "0.5 is chance"),
    "unknown_fpr95": ("Unknown things: false alarms", "%", "of known pictures, when 95 % of unknown are found"),
}

STYLE = """
:root{color-scheme:light dark;--ground:#f5f6f4;--raised:#fff;--ink:#14191a;--soft:#566063;--line:#d5dad7;
--track:#e3e7e4;--accent:#1d6b52}
@media(prefers-color-scheme:dark){:root{--ground:#101413;--raised:#181d1c;--ink:#e9eeeb;--soft:#97a39f;
--line:#2a312f;--track:#242b29;--accent:#63c5a2}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 "IBM Plex Sans","Plex Sans","Segoe UI",system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1060px;margin:0 auto;padding:48px 24px 80px}
h1{font-size:30px;font-weight:600;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:17px;font-weight:600;margin:56px 0 4px}
p{margin:0 0 16px;color:var(--soft);max-width:64ch}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:0 32px;margin-top:32px}
.figure{border-top:1px solid var(--line);padding:12px 0 16px}
.figure b{display:block;font-size:26px;font-weight:600;line-height:1.2}
.figure span{display:block;font-size:13px;color:var(--soft)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:0 48px}
svg{display:block;width:100%;height:auto;overflow:visible;margin-top:12px}
text{fill:var(--ink);font-size:12px}text.tick,text.value{fill:var(--soft)}text.end,text.row{text-anchor:end}
text.mid{text-anchor:middle}
.grid{stroke:var(--line)}.guide{stroke:var(--soft);stroke-dasharray:3 4}.line{fill:none;stroke-width:2}
.gap{stroke:var(--soft);opacity:.6}.dot{fill:var(--accent);fill-opacity:.75}.track{fill:var(--track)}
.bar{fill:var(--accent);opacity:.55}.limit{stroke:var(--ink);stroke-width:1.5;opacity:.7}
table{border-collapse:collapse;width:100%;margin-top:12px}
th{font-weight:500;font-size:13px;color:var(--soft);text-align:right;padding:6px 0 6px 16px}
td{font-size:14px;border-top:1px solid var(--line);text-align:right;padding:7px 0 7px 16px;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal}tr.chosen td{font-weight:600}
.scroll{overflow-x:auto}
"""


def html_report(result: Mapping[str, Any], taxonomy: Taxonomy | None = None) -> str:
    """One page of the result of any protocol, as its JSON has it. Names of kinds come from `taxonomy`."""
    sections = {
        "score": lambda: _score(result, taxonomy),
        "protocols": lambda: _protocols(result),
        "lowshot": lambda: _low_shot(result),
        "bench": lambda: _bench(result),
        "continual": lambda: _continual(result),
    }
    title = f"Evaluation of {result['checkpoint']}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<main><h1>{escape(title)}</h1>{sections[result['protocol']]()}</main></html>\n"
    )


def _measured_on(n: int, learned: int) -> str:
    """Pictures that were learned from are not held out, and flatter."""
    if not learned:
        return f"{n:,} held-out pictures."
    return f"{counted(n, 'picture')}, of which it has learned from {learned:,}, so these figures flatter it."


def _score(result: Mapping[str, Any], taxonomy: Taxonomy | None) -> str:
    figures, n = result["figures"], result["n"]

    def name(taxon: str) -> str:
        return taxonomy[taxon].name if taxonomy is not None else taxon

    cards = "".join(_figure(*WORDS[key], figures[key]) for key in WORDS if key in figures)
    bins = [(row["confidence"], row["right"], row["n"]) for row in result["reliability"]]
    risk = [(coverage, value) for coverage, value in result["risk"]]
    axes = percent_axis("answered"), percent_axis("wrong", 0, max((value for _, value in risk), default=0.1) or 0.1)
    kinds = [(name(row["taxon"]), *row["right"], f"{row['right'][0]:.0%} of {row['n']}") for row in result["kinds"]][
        :MOST_KINDS
    ]
    pairs = [
        (
            f"{name(row['a'])} / {name(row['b'])}",
            f"{row['mistaken']}",
            f"{row['of']}",
            "{:.0%} [{:.0%}, {:.0%}]".format(*row["share"]),
        )
        for row in result["pairs"]
    ][:MOST_PAIRS]
    return (
        f"<p>{_measured_on(n, result.get('learned_from', 0))} Every figure has its 95 % interval over pictures.</p>"
        f'<div class="figures">{cards}</div><div class="two"><section><h2>Are its probabilities honest?</h2>'
        "<p>On the dashed line they are. Areas are numbers of pictures.</p>"
        f"{reliability_plot(bins, 'Share right against confidence')}</section>"
        "<section><h2>If it answers only where it is sure</h2><p>Wrong answers among those given.</p>"
        f"{line_plot([Line('risk', risk)], *axes, 'Risk against coverage')}"
        "</section></div>"
        + _section("Taken for each other", "Both ways together.", _table(("", "mistaken", "of", ""), pairs))
        + _section(
            "Kind by kind",
            f"The {min(MOST_KINDS, len(kinds))} with the fewest right first; lines are 95 % intervals.",
            bar_plot(kinds, "Share right of each kind"),
        )
    )


def _protocols(result: Mapping[str, Any]) -> str:
    rows = [
        (_plain(name), _share(one["top1"]), _share(one["macro"]), _points(one["behind"]), f"{one['elapsed_s']:.1f} s")
        for name, one in sorted(result["protocols"].items(), key=lambda item: -item[1]["top1"][0])
    ]
    unknown = result["unknown"]
    return (
        _about(result)
        + _section(
            "Ways of learning",
            "Same features, same split.",
            _table(("", "top-1", "mean over kinds", "behind the best", "time"), rows),
        )
        + _section(
            "Kinds left out",
            "A fifth of the kinds is not learned and met all the same; how well is that noticed?",
            f'<div class="figures">{_figure(*WORDS["unknown_auroc"], unknown["unknown_auroc"])}'
            f"{_figure(*WORDS['unknown_fpr95'], unknown['unknown_fpr95'])}</div>",
        )
    )


def _low_shot(result: Mapping[str, Any]) -> str:
    curves = result["low_shot"]
    shots = max((one["shots"] for one in curves.values()), key=len)
    low = min(row[1] for one in curves.values() for row in one["top1"])
    high = max(row[2] for one in curves.values() for row in one["top1"])
    scale = [float(np.log(size)) for size in shots]
    ticks = [(at, "all" if size == shots[-1] else str(size)) for at, size in zip(scale, shots, strict=True)]
    lines = [
        Line(
            _plain(name),
            [(at, row[0]) for at, row in zip(scale, one["top1"], strict=True)],
            [(at, row[1], row[2]) for at, row in zip(scale, one["top1"], strict=True)],
        )
        for name, one in sorted(curves.items(), key=lambda item: -item[1]["area"])
    ]
    rows = [(_plain(name), *(_share(row) for row in one["top1"]), f"{one['area']:.3f}") for name, one in curves.items()]
    header = ("", *(str(size) for size in shots[:-1]), f"all ({shots[-1]})", "area")
    plot = line_plot(
        lines,
        Axis("labelled pictures a kind", scale[0], scale[-1], ticks),
        percent_axis("top-1", low, high),
        "Top-1 against labelled pictures a kind",
        WIDE,
    )
    return (
        _about(result)
        + _section("How few labels are enough?", "Bands: 95 % over pictures and draws.", plot)
        + _table(header, rows)
    )


def _bench(result: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{cell['backbone']}, {cell['training']}",
            f"{cell['size_px']} px",
            f"{1000 * cell['picture_s']:.0f} ms",
            f"{cell['parameters'] / 1e6:.1f} M",
            _share(cell["top1"]),
            _points(cell["behind"]),
        )
        for cell in result["cells"]
    ]
    chosen = next(place for place, cell in enumerate(result["cells"]) if cell["name"] == result["recommended"])
    header = ("", "side", "a picture", "parameters", "top-1", "behind the best")
    return _about(result) + _section(
        "Which backbone, at which size?",
        f"The fastest that is not proven worse than the best: {result['recommended']}. "
        f"{_open_loss(result['cells'][chosen]['loss_limit'], result['test'])}",
        _table(header, rows, chosen),
    )


def _open_loss(share: float, n: int) -> str:
    return (
        f"A loss of up to {100 * share:.1f} points against the best is not excluded by {counted(n, 'picture')}."
        if share
        else ""
    )


def _continual(result: Mapping[str, Any]) -> str:
    courses = result["courses"]
    shots = next(iter(courses.values()))["shots"]
    high = max(max(one["errors"]) for one in courses.values()) / 100
    lines = [
        Line(_plain(name), [(k, error / 100) for k, error in zip(shots, one["errors"], strict=True)])
        for name, one in courses.items()
    ]
    rows = []
    for name, one in courses.items():
        shares = [f"{one[key]:.1%}".replace("-", "−") for key in ("final_accuracy", "forgetting", "backward_transfer")]
        rows.append((_plain(name), *shares, f"{one['auac']:.1f}", f"{one['auac_clipped']:.1f}", f"{one['sauce']:.3f}"))
    plot = line_plot(
        lines,
        Axis("pictures a kind it is reminded of", shots[0], shots[-1], [(k, str(k)) for k in shots]),
        percent_axis("wrong", 0, high or 0.1),
        "Error after being reminded",
        WIDE,
    )
    header = ("", "right at the end", "forgetting", "backward transfer", "AUAC", "clipped", "SAUCE")
    return (
        _about(result)
        + _section(f"Kinds in {result['sessions']} sessions", "What is left after the last.", _table(header, rows))
        + _section("How fast it comes back", "Wrong answers after k pictures a kind, mean over the sessions.", plot)
    )


def _about(result: Mapping[str, Any]) -> str:
    return (
        f"<p>{counted(result['classes'], 'kind')}; learned from {counted(result['train'], 'picture')}, "
        f"tested on {result['test']:,}. Intervals are 95 %.</p>"
    )


def _section(title: str, about: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>{content}</section>"


def _figure(title: str, unit: str, about: str, value: Interval) -> str:
    mean, low, high = (f"{number:.1%}" if unit else f"{number:.3f}" for number in value)
    limits = f"{low} – {high} · {escape(about)}"
    return f'<div class="figure"><span>{escape(title)}</span><b>{mean}</b><span>{limits}</span></div>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], chosen: int | None = None) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "".join(
        f"<tr{' class=chosen' if place == chosen else ''}>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>"
        for place, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _plain(name: str) -> str:
    return {"knn": "nearest neighbours", "linear": "logistic regression"}.get(name, name.replace("_", " "))


def _share(value: Interval) -> str:
    mean, low, high = (100 * number for number in value)
    return f"{mean:.1f} % [{low:.1f}, {high:.1f}]"


def _points(value: Interval) -> str:
    mean, low, high = (100 * number for number in value)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")
