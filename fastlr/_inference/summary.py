"""The table of a model, as text, HTML, LaTeX and a pandas DataFrame."""

import html

import numpy as np

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
_LATEX |= {character: "\\" + character for character in "&%$#_{}"}


class Summary:
    """A table that prints itself, in a notebook as HTML.

    Parameters
    ----------
    result : Inference
    level : float
        Of the intervals.
    """

    def __init__(self, result, level):
        self._facts, self._notes = _facts(result), _notes(result)
        tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
        ends = [f"[{tails[0]:.4g}", f"{tails[1]:.4g}]"]
        self._heads = ["", "coef", "std err", "z", "P>|z|", *ends, "odds ratio"]
        self._parts = list(_parts(result, level))

    def __str__(self):
        rows = [self._heads, *(row for _, rows in self._parts for row in rows)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(self._heads))]
        width = max(sum(widths) + 2 * (len(widths) - 1), 78)
        lines = ["Logistic regression".center(width).rstrip(), "=" * width]
        left = (width - 4) // 2
        for (name, value), (other, second) in zip(self._facts[::2], self._facts[1::2], strict=True):
            lines.append(f"{name}:{value:>{left - len(name) - 1}}    {other}:{second:>{width - left - 5 - len(other)}}")
        lines.append("=" * width)
        for title, rows in self._parts:
            lines.append(_line([title, *self._heads[1:]] if title else self._heads, widths))
            lines.append("-" * width)
            lines += [_line(row, widths) for row in rows]
            lines.append("=" * width)
        return "\n".join([*lines, *self._notes])

    __repr__ = __str__

    def _repr_html_(self):
        def cells(values, tag):
            first, *rest = (html.escape(value) for value in values)
            return f"<tr><th>{first}</th>" + "".join(f"<{tag}>{value}</{tag}>" for value in rest) + "</tr>"

        tables = ["<table>" + "".join(cells(fact, "td") for fact in self._facts) + "</table>"]
        for title, rows in self._parts:
            lines = [cells([title, *self._heads[1:]], "th"), *(cells(row, "td") for row in rows)]
            tables.append("<table>" + "".join(lines) + "</table>")
        return "\n".join([*tables, *(f"<p>{html.escape(note)}</p>" for note in self._notes)])

    def to_latex(self):
        """The coefficients as a tabular of LaTeX, which needs the package booktabs.

        Returns
        -------
        str
        """
        lines = [r"\begin{tabular}{l" + "r" * (len(self._heads) - 1) + "}", r"\toprule"]
        for place, (title, rows) in enumerate(self._parts):
            lines += [r"\midrule"] * (place > 0) + [_latex([title, *self._heads[1:]]), r"\midrule"]
            lines += [_latex(row) for row in rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def frame(result, level):
    """See `Inference.to_frame`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    ends, ratios = result.conf_int(level), result.odds_ratios(level)
    columns = {
        "coef": result.coef,
        "std_err": result.std_err,
        "z": result.z,
        "p_value": result.p_values,
        "lower": ends[..., 0],
        "upper": ends[..., 1],
        "odds_ratio": ratios[..., 0],
        "odds_ratio_lower": ratios[..., 1],
        "odds_ratio_upper": ratios[..., 2],
    }
    index = pd.Index(result.names, name="parameter")
    if result.n_rows > 1:
        index = pd.MultiIndex.from_product([result.compared, result.names], names=["class", "parameter"])
    return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()}, index=index)


def _facts(result):
    """Names and values above the table, an even number of them."""
    return [
        ("Classes", ", ".join(str(label) for label in result.classes[:3]) + (", ..." if result.n_rows > 2 else "")),
        ("No. samples", f"{result.n_samples:g}"),
        ("Compared with", str(result.base)),
        ("Df residuals", f"{result.df_resid:.6g}"),
        ("Covariance", result.cov_type),
        ("Df model", f"{result.df_model:.6g}"),
        ("Log-likelihood", f"{result.log_likelihood:.6g}"),
        ("Pseudo R-squared", f"{result.pseudo_r2.mcfadden:.4f}"),
        ("Null log-likelihood", f"{result.log_likelihood_null:.6g}"),
        ("AIC", f"{result.aic:.6g}"),
        ("Penalty", {None: "none", "firth": "Firth's", "l2": f"L2, C={result.C:g}"}[result.penalty]),
        ("BIC", f"{result.bic:.6g}"),
    ]


def _notes(result):
    if result.penalty == "firth":
        return ["Likelihoods are penalised ones; in small samples trust profile intervals and lr_test."]
    if result.penalty is None:
        return []
    return ["With a penalty estimates are biased, and errors, tests and intervals approximate."]


def _parts(result, level):
    """For each row of parameters its title and the lines of its table, all as text."""
    numbers = [result.coef, result.std_err, result.z, result.p_values, *np.moveaxis(result.conf_int(level), -1, 0)]
    numbers = np.stack([*numbers, result.odds_ratios(level)[..., 0]], axis=-1).reshape(result.n_rows, -1, 7)
    titles = [f"class {label}" for label in result.compared] if result.n_rows > 1 else [""]
    for title, lines in zip(titles, numbers, strict=True):
        yield title, [_row(name, values) for name, values in zip(result.names, lines.tolist(), strict=True)]


def _row(name, values):
    coef, std_err, z, p_value, lower, upper, ratio = values
    tests = [f"{z:.3f}", "<0.001" if p_value < 0.0005 else f"{p_value:.3f}"]
    return [name, f"{coef:#.4g}", f"{std_err:#.4g}", *tests, f"{lower:#.4g}", f"{upper:#.4g}", f"{ratio:#.4g}"]


def _line(values, widths):
    first, *rest = values
    return "  ".join([first.ljust(widths[0]), *(v.rjust(w) for v, w in zip(rest, widths[1:], strict=True))]).rstrip()


def _latex(values):
    return " & ".join("".join(_LATEX.get(c, c) for c in value) for value in values) + r" \\"
