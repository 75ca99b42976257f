"""The picture of the README: measured ratios, from ``headline.json`` into ``headline.svg``.

``python headline.py`` draws it; ``python headline.py --measure`` measures first, all rows or those that are named, on a
machine that does nothing else. How the races are run is in ``benchmarks/race.py``.
"""

import argparse
import datetime
import importlib
import json
import math
import statistics
import subprocess
import sys
import time
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
RESULTS, PICTURE = HERE / "headline.json", HERE / "headline.svg"

# What a row shows, where it is measured, and who runs beside fastlr: those of scikit-learn that may be the quickest.
CHOLESKY, CG, LIBLINEAR = "sklearn newton-cholesky", "sklearn newton-cg", "sklearn liblinear°"
ROWS = {
    "search": ("search, 50 fits, 569x30", "cross_validation", 0.0, "breast cancer 569x30", (CHOLESKY, LIBLINEAR)),
    "tall": ("300,000x50", "fit", 0.0, "correlated 300,000x50", (CHOLESKY,)),
    "wide": ("images, 348x4,096", "fit", 0.0, "signs float64", (CG, LIBLINEAR)),
    "l1": ("images, L1", "fit", 1.0, "signs float64", (LIBLINEAR,)),
    "classes": ("digits, 10 classes", "fit", 0.0, "digits 1,797x64", (CG,)),
    "sparse": ("sparse, 49,749x300", "fit", 0.0, "web 49,749x300", (CHOLESKY, LIBLINEAR)),
    "small": ("569x30", "fit", 0.0, "breast cancer", (CHOLESKY, LIBLINEAR)),
    "first": ("first fit ever, 4,000x30", "startup", None, None, ("sklearn lbfgs",)),
}
WIDTH, ROW, TOP, LABELS, BARS = 820, 30, 58, 210, 330  # pixels
FASTER, SLOWER = "#2b6cb0", "#c05621"


def measure_row(key):
    """Medians of seconds: of fastlr, and of the quickest other, with its name."""
    _, module, l1_ratio, data, others = ROWS[key]
    if module == "startup":
        from benchmarks import startup

        first = startup.FirstCompiledFit()
        codes = first.timeraw_fastlr_cold_cache(), first.timeraw_sklearn()
        own, other = (statistics.median(process_seconds(code) for _ in range(3)) for code in codes)
        return {"fastlr": own, "other": other, "solver": others[0]}
    from benchmarks import race

    event = importlib.import_module(f"benchmarks.{module}").make_event(l1_ratio)
    race.BUDGET = 1.0
    results, reasons = race.race(event, data, ("fastlr", *others))
    medians = {name: statistics.median(seconds) for name, seconds in results.items()}
    own = medians.pop("fastlr")
    if not medians:
        raise RuntimeError(f"{key}: {reasons}")
    best = min(medians, key=medians.get)
    return {"fastlr": own, "other": medians[best], "solver": best}


def process_seconds(code):
    """Of a new interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def measure(keys):
    """Measure rows and store them beside those that are there."""
    import sklearn

    from fastlr.runtime import machine

    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    stored |= {
        "date": datetime.date.today().isoformat(),
        "machine": f"two cores of an {machine.processor()}, {machine.instruction_set()}",
        "versions": f"scikit-learn {sklearn.__version__}",
    }
    for key in keys:
        row = stored["rows"][key] = measure_row(key)
        print(key, row, f"{row['other'] / row['fastlr']:.2g} times as fast", flush=True)
        RESULTS.write_text(json.dumps(stored, indent=1) + "\n")


def draw(stored):
    """The picture, as text: bars on a logarithmic axis, to the right of 1 where fastlr is faster."""
    keys = [key for key in ROWS if key in stored["rows"]]
    ratios = {key: stored["rows"][key]["other"] / stored["rows"][key]["fastlr"] for key in keys}
    low, high = math.log(min(1.0, *ratios.values())), math.log(max(ratios.values()))
    height = TOP + ROW * len(keys) + 46

    def place(ratio):
        return LABELS + BARS * (math.log(ratio) - low) / (high - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="22" font-size="15" font-weight="bold">'
        "Times as fast as scikit-learn, to the same accuracy</text>",
        f'<text x="10" y="42" fill="#555">{escape(stored["machine"])}; {escape(stored["versions"])}; '
        f"{stored['date']}; logarithmic</text>",
    ]
    one = place(1.0)
    for k, key in enumerate(keys):
        ratio, top = ratios[key], TOP + ROW * k
        end = place(ratio)
        seconds = " / ".join(duration(stored["rows"][key][side]) for side in ("fastlr", "other"))
        solver = stored["rows"][key]["solver"].removeprefix("sklearn ")
        lines += [
            f'<text x="{LABELS - 10}" y="{top + 19}" text-anchor="end">{escape(ROWS[key][0])}</text>',
            f'<rect x="{min(one, end):.1f}" y="{top + 5}" width="{max(abs(end - one), 1.0):.1f}" height="{ROW - 10}" '
            f'fill="{FASTER if ratio >= 1.0 else SLOWER}"/>',
            f'<text x="{max(one, end) + 6:.1f}" y="{top + 19}" font-weight="bold">{ratio:.2g}x</text>',
            f'<text x="{WIDTH - 10}" y="{top + 19}" text-anchor="end" fill="#555" font-size="11">'
            f"{seconds}, {solver}</text>",
        ]
    lines += [
        f'<line x1="{one:.1f}" y1="{TOP}" x2="{one:.1f}" y2="{TOP + ROW * len(keys)}" stroke="#333"/>',
        f'<text x="10" y="{height - 28}" fill="#555" font-size="11">Right: fastlr / scikit-learn, with the solver '
        "that is named (° without an intercept).</text>",
        f'<text x="10" y="{height - 10}" fill="#555" font-size="11">Measured again by: cd asv_bench; '
        "python headline.py --measure</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def duration(seconds):
    """For people to read."""
    return f"{seconds:.2g} s" if seconds >= 1.0 else f"{1e3 * seconds:.3g} ms"


def main():
    """Draw, and before that measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs="*", choices=list(ROWS), help="all rows, or these")
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure or ROWS)
    PICTURE.write_text(draw(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
