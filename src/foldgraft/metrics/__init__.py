"""Metrics, each in one place, for many weightings of the same rows at once.

A row is a protein, a residue or a pair. `weights` has shape (b, n) and says how often each of n rows counts, so that a
row of weights is a bootstrap resample; without weights each row counts once, and b is 1. A metric is an array of shape
(b,), NaN where it is undefined.

Metrics that are functions of sums come as two functions: `<name>_rows` makes the summands of each row, shape (n, S),
and `<name>` makes metrics of their sums, shape (b, S): `decisions(total(decision_rows(truth, called), weights))`.
Summands of rows that are always drawn together can be added up once (`foldgraft.metrics.sums.by_group`). Metrics that
rank (`foldgraft.metrics.ranking`) need the rows themselves.
"""
