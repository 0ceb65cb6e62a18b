"""Of the chapter on data: what labels of proteins look like before anything is learnt, and what that means for choices.

Types, missing values, balance by group, correlations, and shortcuts: simple properties that tell a label by themselves.
"""

import numpy as np
import pandas as pd

from foldgraft.metrics.decisions import MIDDLE
from foldgraft.metrics.ranking import roc_auc, spearman
from foldgraft.report.drawing import canvas, count, number, share, span, svg
from foldgraft.report.page import Block, Figure, Table, Text
from foldgraft.report.results import Labelled
from foldgraft.report.run import Run

PROPERTIES = {"length": "sequence length", "charge": "net charge per residue", "hydropathy": "mean hydropathy"}
RESAMPLES = 200
FEWEST = 20
"""Members of a group that is shown by itself, and of an id prefix that counts as one."""
SHOWN = 12
WORTH = 0.05
"""Distance from 0.5 of an AUC (a rank correlation: from 0, twice that) at which a property is called a shortcut."""


def blocks(run: Run, one: Labelled) -> list[Block]:
    """What a table of labels of proteins holds, and what can be guessed from it without a head."""
    rows = _with_origin(one.rows).assign(fold=_folds(run, one))
    parts = [_columns(run, one), *_balance(one)]
    if one.about.kind != "classes" and rows["label"].nunique() > 1:
        parts += [_correlations(one, rows), *_shortcuts(run, one, rows)]
    return parts


def _columns(run: Run, one: Labelled) -> Table:
    rows, name = one.rows, one.about.task
    label = rows["label"]
    body = [("label", one.about.kind, count(len(rows)), *_lacking(run, name), _range(label))]
    body.append(
        ("sequence", "text", count(len(rows)), "0", f"{rows['length'].min()} to {rows['length'].max()} residues")
    )
    for column in ("group", "fold"):
        known = rows[column].dropna()
        if len(known):
            body.append((column, "text" if column == "group" else "number", count(len(known)),
                         count(len(rows) - len(known)), f"{count(known.nunique())} values"))  # fmt: skip
    for column, covariate in enumerate(one.about.covariates):
        texts = rows["covariates"].map(lambda values, column=column: values[column])
        numeric = pd.to_numeric(texts, errors="coerce")
        known = texts[texts != ""]
        is_number = numeric[known.index].notna().all()
        seen = _range(numeric) if is_number else f"{count(known.nunique())} values"
        body.append(
            (covariate, "number" if is_number else "text", count(len(known)), count(len(texts) - len(known)), seen)
        )
    averaged = int((rows["replicates"] > 1).sum())
    caption = (
        f"The columns of {name}. A row without a usable label is no part of the run: `fetch/labels/rejects` lists each "
        f"with what stood there. {count(averaged)} sequences had several rows, of which the mean is taken."
    )
    return Table((name, "type", "known", "missing", "values"), body, caption)


def _lacking(run: Run, name: str) -> tuple[str]:
    """How many rows of the table had no usable label, and what stood in place of one."""
    rejects = run.unlabelled(name)
    if rejects.empty:
        return ("0",)
    stood = rejects["value"].fillna("").replace("", "nothing").value_counts().head(4)
    return (f"{count(len(rejects))} ({', '.join(f'{text[:20]}: {count(n)}' for text, n in stood.items())})",)


def _range(values: pd.Series) -> str:
    low, middle, high = np.nanquantile(values, [0, 0.5, 1])
    return f"{low:.3g} to {high:.3g}, median {middle:.3g}"


def _balance(one: Labelled) -> list[Block]:
    """The labels of each group, the largest first."""
    rows = one.rows.dropna(subset=["group"])
    if rows.empty or one.about.kind == "classes":
        return []
    groups = rows.groupby("group")["label"].agg(["size", "mean"]).sort_values("size", ascending=False, kind="stable")
    body = [(str(name)[:40], count(row["size"]), share(row["size"], len(rows)), number(row["mean"], 2))
            for name, row in groups.head(SHOWN).iterrows()]  # fmt: skip
    large = groups[groups["size"] >= FEWEST]["mean"]
    said = (
        f"The mean label of groups of {FEWEST} and more runs from {number(large.min(), 2)} to {number(large.max(), 2)}"
    )
    caption = (
        f"The {count(len(body))} largest of {count(len(groups))} groups. "
        + (f"{said}; over all it is {number(rows['label'].mean(), 2)}. " if len(large) > 1 else "")
        + "Where groups differ, a head can score by knowing the group: look at its metric by group, and split by group "
        "(`cluster.split_by: group`) to see what is left."
    )
    return [Table(("group", "sequences", "of all", "mean label"), body, caption)]


def _correlations(one: Labelled, rows: pd.DataFrame) -> Figure:
    columns = {"label": "label", **PROPERTIES}
    ranks = rows[list(columns)].rank()
    matrix = ranks.corr().to_numpy()
    names = list(columns.values())
    figure, (axes,) = canvas(4.6, 3.4)
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    for i, j in np.ndindex(matrix.shape):
        shade = "white" if abs(matrix[i, j]) > 0.6 else "#1c2531"
        axes.text(j, i, f"{matrix[i, j]:.2f}".replace("-", "−"), ha="center", va="center", fontsize=8, color=shade)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="rank correlation")
    most = int(np.nan_to_num(np.abs(matrix[0, 1:])).argmax())
    strongest = f"Of these, {names[most + 1]} goes with the label most ({number(matrix[0, most + 1], 2)})"
    return Figure(
        svg(figure, f"correlations-{one.about.task}"),
        f"Rank correlations of the labels of {one.about.task} with simple properties of the sequence. {strongest}.",
        "How the label and simple properties of the sequence go together.",
        "Spearman's rank correlation over all labelled sequences.",
        f"{strongest}. Properties that go together cannot be told apart as causes.",
    )


def _shortcuts(run: Run, one: Labelled, rows: pd.DataFrame) -> list[Block]:
    """How well each simple property tells the label alone; nothing where all labels are of one class."""
    binary = one.about.kind == "binary"
    truth = rows["label"].to_numpy(dtype=float)
    truth = (truth >= MIDDLE).astype(float) if binary else truth
    if len(np.unique(truth)) < 2:
        return []
    guesses = {text: rows[name].to_numpy(dtype=float) for name, text in PROPERTIES.items()}
    for column, text in (("group", "group alone"), ("origin", "letters that the id begins with")):
        if rows[column].nunique() > 1:
            guesses[text] = _known_elsewhere(rows, column)
    measure, nothing, metric = (roc_auc, 0.5, "ROC-AUC") if binary else (spearman, 0.0, "rank correlation")
    weights = _weights(_clusters(run, one), np.random.default_rng(0))
    body, telling = [], []
    for text, guess in guesses.items():
        turned = measure(truth, guess).item() < nothing
        values = np.atleast_1d(measure(truth, -guess if turned else guess, weights))
        value, (low, high) = float(values[0]), np.nanquantile(values[1:], [0.025, 0.975])
        worth = (value - nothing) * (1 if binary else 0.5) >= WORTH and low > nothing
        telling += [f"{text} ({number(value, 2)})"] if worth else []
        verdict = f"tells of the label, {'smaller' if turned else 'greater'} with more" if worth else "tells little"
        body.append((text, verdict, f"{number(value)} {span(low, high)}"))
    caption = (
        f"How well one property alone tells the label of {one.about.task}, in the direction that fits better; in "
        f"brackets 95 % intervals over clusters. {metric} of guessing: {nothing:g}. Of a group, its mean label in the "
        "other folds is the guess. Hydropathy is that of Kyte and Doolittle."
    )
    said = (
        f"A head for {one.about.task} can score by {', '.join(telling)} without knowing anything of folding: read what "
        "it reaches beside these and beside the baseline `composition`, not beside guessing."
        if telling
        else f"None of these tells much of {one.about.task}, so what a head reaches is no shortcut through them."
    )
    return [Table(("shortcut", "verdict", metric), body, caption), Text(said)]


def _known_elsewhere(rows: pd.DataFrame, column: str) -> np.ndarray:
    """The mean label of a protein's group in the other folds; that of all where the group is not there."""
    names = rows[column].fillna("")
    guess = np.full(len(rows), np.nan)
    for fold in rows["fold"].unique():
        here = (rows["fold"] == fold).to_numpy()
        means = rows.loc[~here, "label"].groupby(names[~here]).mean()
        guess[here] = names[here].map(means).fillna(rows.loc[~here, "label"].mean())
    return np.nan_to_num(guess, nan=float(rows["label"].mean()))


def _with_origin(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the letters that ids begin with, as databases name organisms and targets; rare ones together."""
    origin = rows["id"].str.extract(r"^([A-Za-z]+)")[0].fillna("")
    sizes = origin.map(origin.value_counts())
    return rows.assign(origin=origin.where(sizes >= FEWEST, ""))


def _folds(run: Run, one: Labelled) -> np.ndarray:
    known = run.split[run.split["set"] == one.about.task].drop_duplicates("id").set_index("id")["fold"]
    return one.rows["id"].map(known).fillna(0).to_numpy()


def _clusters(run: Run, one: Labelled) -> np.ndarray:
    known = run.split[run.split["set"] == one.about.task].drop_duplicates("id").set_index("id")["cluster"]
    numbers = one.rows["id"].map(known).to_numpy()
    return pd.factorize(numbers)[0]


def _weights(clusters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ones, then how often each protein is drawn when its cluster is; shape (1 + RESAMPLES, N)."""
    number_of = int(clusters.max()) + 1
    drawn = rng.multinomial(number_of, np.full(number_of, 1 / number_of), RESAMPLES)
    return np.vstack([np.ones(len(clusters)), drawn[:, clusters]])
