"""Tables of the evaluate stage: `evaluate/metrics.csv` of all tasks, and those of each in `evaluate/tasks/<task>/`."""

COLUMNS = ["task", "experiment", "split", "metric", "value", "ci_low", "ci_high", "n"]
"""A value with its 95 % bootstrap interval over n proteins."""

BASELINE = "baseline_"
"""Begins the name of a baseline."""

TRANSFER = "transfer_"
"""Begins the name of an experiment of another table, whose head is tried on this one."""

TABLES = (
    "metrics", "comparison", "notes", "breakdown", "thresholds", "proteins", "ceiling", "roc", "pr", "reliability",
    "confusion", "scatter",
)  # fmt: skip
"""Tables of a task; one that its kind of target does not have is empty. `foldgraft.evaluate.tables` has their columns.
"""
