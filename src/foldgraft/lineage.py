"""What every file of a run is made from, followed through the rules before any job runs.

The lineage of a job is a digest of its command, its threads, its parameters, its code, the bytes of the inputs that no
rule makes, and the lineages of those that one makes. It is a parameter of the job, so Snakemake remembers it: a changed
key, module or input changes the lineage of all that stands on it, whatever the times of files say, and whatever became
of the jobs in between. Tables bear it (foldgraft.records.origin), so a job refuses those that are not what it was to
read.

An input marked `ancient` that a rule makes is left out: a parameter says what of it matters.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from snakemake.io import IOFile, flag, is_flagged
from snakemake.iocontainers import Wildcards
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.rules import Rule

from foldgraft.records.origin import SHORT

PARAMETER = "lineage"
Digest = Callable[[Path], str]


class Lineage:
    """The lineages of a workflow's jobs.

    Parameters
    ----------
    rules : () -> list of snakemake.rules.Rule
        that take part; asked again and again, since who uses the workflow as a module may put others in their place.
    digest : Path -> str
        the digest of a file that no rule makes.
    checkpoints : snakemake.checkpoints.Checkpoints
        parameters may change when one of them is done.
    """

    def __init__(self, rules: Callable[[], list[Rule]], digest: Digest, checkpoints: Any):
        self._own, self._rules = rules, cache(rules)  # final once jobs are looked at
        self._digest, self._checkpoints, self._done = cache(digest), checkpoints, -1
        self._known: dict[tuple, tuple[str, str]] = {}
        self._makers: dict[str, tuple[Rule, Wildcards] | None] = {}
        self._wildcards: dict[tuple, Wildcards] = {}

    def attach(self) -> None:
        """Give each job its lineage, and let each target name what it stands on.

        Snakemake removes the outputs of a job that fails, and would not miss them otherwise.
        """
        for rule in self._own():
            if rule.params.get(PARAMETER):
                continue  # those of a module that is used rule by rule
            if rule.shellcmd:
                _literal(rule)
                # One that reads `input` is for the command alone; Snakemake remembers the other.
                rule.set_params(
                    made_from=lambda wildcards, input, rule=rule: self.made_from(rule, wildcards),
                    **{PARAMETER: lambda wildcards, rule=rule: self._of(rule, wildcards)[0]},
                )
            else:
                asked = list(rule.input)
                rule.set_input(lambda wildcards, rule=rule, asked=asked: self.files(rule, asked))

    def made_from(self, rule: Rule, wildcards: Wildcards) -> str:
        """The lineage of a job, its threads and the short lineages of what it reads, as `origin.begin` takes them."""
        own, read = self._of(rule, wildcards)
        return f"{own}@{_threads(rule)}:{read}"

    def files(self, rule: Rule, asked: Iterable[Any]) -> list[str]:
        """What the rules make for what a target asks: each file that a job reads, and one of each job at least."""
        paths: dict[str, None] = {}
        done = set()
        queue = [str(IOFile(path, rule=rule).apply_wildcards({})) for path in asked if not callable(path)]
        while queue:
            path = queue.pop()
            maker = self._maker(path)
            if maker is None or path in paths:
                continue
            paths[path] = None
            if (job := (maker[0].name, *sorted(maker[1].items()))) not in done:
                done.add(job)
                paths[str(maker[0].expand_output(maker[1])[0][0])] = None
                queue += map(str, self._inputs(*maker))
        return [flag(path, PATH_MODIFIER_FLAG) for path in paths]  # a module's prefix is in them already

    def _of(self, rule: Rule, wildcards: Wildcards) -> tuple[str, str]:
        """The lineage of a job, and the short ones of what it reads."""
        if self._done != (done := len(self._checkpoints.created_output)):
            self._known, self._done = {}, done
        key = (rule.name, *sorted(wildcards.items()))
        if key not in self._known:
            self._known[key] = self._follow(rule, wildcards)
        return self._known[key]

    def _follow(self, rule: Rule, wildcards: Wildcards) -> tuple[str, str]:
        text = hashlib.sha256(f"{rule.shellcmd}\nthreads {_threads(rule)}\n{sorted(wildcards.items())}\n".encode())
        for name, value in sorted(self._parameters(rule, wildcards)):
            text.update(f"{name}\t{value}\n".encode())
        read = set()
        for path in self._inputs(rule, wildcards):
            maker = self._maker(str(path))
            lineage = self._of(*maker)[0] if maker else self._digest(Path(path))
            if maker:
                read.add(lineage[:SHORT])
            if not (maker and is_flagged(path, "ancient")):
                text.update(f"{lineage}\n".encode())
        return text.hexdigest()[:16], ",".join(sorted(read))

    def _parameters(self, rule: Rule, wildcards: Wildcards) -> Iterable[tuple[str, str]]:
        """Those that follow from the configuration; what is said of inputs and outputs is in their lineages."""
        for name, value in rule.params._allitems():
            if name == PARAMETER or Rule._is_deriving_function(value):
                continue
            yield str(name), repr(value(wildcards) if callable(value) else value)

    def _inputs(self, rule: Rule, wildcards: Wildcards) -> list[Any]:
        paths = rule.expand_input(wildcards)[0]
        return [path for path in paths if not is_flagged(path, "checkpoint_target")]

    def _maker(self, path: str) -> tuple[Rule, Wildcards] | None:
        """The rule that makes a file, and its wildcards; None for what comes from outside."""
        if path not in self._makers:
            rule = next((rule for rule in self._rules() if rule.shellcmd and rule.is_producer(path)), None)
            self._makers[path] = (rule, self._shared(rule, rule.get_wildcards(path))) if rule else None
        return self._makers[path]

    def _shared(self, rule: Rule, wildcards: dict[str, str]) -> Wildcards:
        """One object for all files of a job, of which there are many."""
        key = (rule.name, *sorted(wildcards.items()))
        return self._wildcards.setdefault(key, Wildcards(fromdict=wildcards))


def _literal(rule: Rule) -> None:
    """Take parameters as they stand: in a path or a text of the configuration, braces are no wildcard."""
    for name, value in list(rule.params.items()):
        if not callable(value) and "{" in str(value):
            setattr(rule.params, name, lambda wildcards, value=value: value)


def _threads(rule: Rule) -> int:
    """The threads that a rule asks for, whatever the cores at hand."""
    return int(rule.resources["_cores"].value)
