"""`evaluate/metrics.csv`: every metric of every experiment and baseline, with its interval."""

COLUMNS = ["task", "experiment", "split", "metric", "value", "ci_low", "ci_high", "n"]
"""A value with its 95 % bootstrap interval over n proteins; names of baselines begin with `baseline_`."""
