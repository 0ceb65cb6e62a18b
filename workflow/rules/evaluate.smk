"""
Evaluate: predictions become metrics with intervals, beside baselines; one path for every task.

in   train/<experiment>/predictions/<task>.parquet   what the experiments say of test and validation proteins
     train/<experiment>/history.csv                  loss curves
     fetch/labels, targets, msa                      truth, and what the baselines are made from
     cluster/split.parquet, cluster/leakage.parquet  folds, the clusters that are resampled; nearest training proteins
     train/<experiment>/head.safetensors, embed      heads that are tried on other tables (evaluate.external)
out  evaluate/baselines/<task>/<name>.parquet        the baselines' predictions, as the experiments write theirs
     evaluate/external/<table>/<experiment>.parquet  what the head of another table's experiment says of this one
     evaluate/tasks/<task>/<table>.csv               tables of a task; schema: foldgraft.evaluate.tables
     evaluate/metrics.csv                            task, experiment, split, metric, value, ci_low, ci_high, n
     evaluate/comparison.csv                         each experiment minus each baseline on the same proteins
     evaluate/breakdown.csv, notes.csv               metrics of parts of the test proteins; why a number is missing
     evaluate/diagnosis.csv                          what the loss curves say
"""

from foldgraft.records.metrics import TABLES
from foldgraft.tasks.task import BUILT_IN

TASKS = {**BUILT_IN, **CONFIG.labelled}
EVALUATED = CONFIG.evaluated
TARGETS = expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS)


def task_of(wildcards):
    """The task of a job."""
    return TASKS[wildcards.task]


def set_of(wildcards):
    """The proteins of a task, as the split names them."""
    return wildcards.task if task_of(wildcards).truth == "labels" else "structures"


def of_structures(files):
    """Input function: files that belong to the structures, for tasks whose truth is theirs."""
    return lambda wildcards: files if task_of(wildcards).truth == "targets" else []


def labelled_shards(wildcards):
    """Shards of the task's labelled table."""
    return LABELS.get(wildcards.task, []) if task_of(wildcards).truth == "labels" else []


def experiments_predictions(wildcards):
    """What the experiments of a task predicted."""
    return expand("<results>/train/{name}/predictions", name=CONFIG.of_task(wildcards.task))


def heads_abroad(wildcards):
    """What heads of other tables say of a task's table."""
    names = CONFIG.evaluate.external.get(wildcards.task, [])
    return expand("<results>/evaluate/external/{task}/{name}.parquet", task=wildcards.task, name=names)


def embeddings_abroad(wildcards):
    """Embeddings of the labelled proteins, if the head that is tried reads any."""
    level = CONFIG.tasks(wildcards.experiment)[0].level
    return embedded("labels") if CONFIG.resolved(wildcards.experiment).embeds(level) else []


def baselines_of(task):
    """The baselines that a task has in this run: coevolution needs alignments, covariates a table that has some."""
    if not CONFIG.of_task(task):
        return []  # of heads that are tried on another table only
    table = CONFIG.tables.get(task)
    extra = ["covariates"] if table and table.columns.covariates else []
    extra += ["untrained"] if CONFIG.evaluate.untrained else []
    return [name for name in TASKS[task].baselines if name != "coevolution" or CONFIG.aligned] + extra


wildcard_constraints:
    task="|".join(TASKS),


rule evaluate_baseline:
    input:
        predictions=experiments_predictions,
        split="<results>/cluster/split.parquet",
        labels=labelled_shards,
        targets=of_structures(TARGETS),
        coevolution=lambda wildcards: (
            expand("<results>/msa/coevolution/{shard}.parquet", shard=STRUCTURE_SHARDS)
            if wildcards.baseline == "coevolution"
            else []
        ),
        description=lambda wildcards: "<results>/trunk/trunk.json" if wildcards.baseline == "untrained" else [],
        code=code("evaluate", "baseline", lambda wildcards: task_of(wildcards).level),
    output:
        "<results>/evaluate/baselines/{task}/{baseline}.parquet",
    log:
        "<logs>/evaluate/baselines/{task}/{baseline}.log",
    benchmark:
        "<benchmarks>/evaluate/baselines/{task}/{baseline}.tsv"
    wildcard_constraints:
        baseline="[a-z]+",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: (8000 if wildcards.baseline == "untrained" else 4000) * attempt,
        runtime=lambda wildcards, attempt: (240 if wildcards.baseline == "untrained" else 60) * attempt,
    params:
        settings=settings("evaluate", include={"seed"}),
        set=set_of,
        predictions=lambda wildcards, input: flags(
            "--predictions", [f"{folder}/{wildcards.task}.parquet" for folder in input.predictions]
        ),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        targets=lambda wildcards, input: flags("--targets", input.targets),
        coevolution=lambda wildcards, input: flags("--coevolution", input.coevolution),
        description=lambda wildcards, input: flags("--description", [input.description] if input.description else []),
        max_length=lambda wildcards: flags(
            "--max-length",
            (
                [CONFIG.embed.max_length]
                if wildcards.baseline == "untrained" and task_of(wildcards).level != "pair"
                else []
            ),
        ),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate baseline \
            --name {wildcards.baseline:q} \
            {params.predictions:q} \
            --split {input.split:q} \
            --set {params.set:q} \
            {params.labels:q} \
            {params.targets:q} \
            {params.coevolution:q} \
            {params.description:q} \
            {params.max_length:q} \
            --output {output:q} \
            --settings {params.settings:q} \
            --threads {threads} \
            2>>{log:q}
        """


rule evaluate_external:
    input:
        head="<results>/train/{experiment}/head.safetensors",
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        labels=lambda wildcards: LABELS.get(wildcards.task, []),
        split="<results>/cluster/split.parquet",
        embeddings=embeddings_abroad,
        predictions=experiments_predictions,
        code=code("evaluate", "external", lambda wildcards: task_of(wildcards).level),
    output:
        "<results>/evaluate/external/{task}/{experiment}.parquet",
    log:
        "<logs>/evaluate/external/{task}/{experiment}.log",
    benchmark:
        "<benchmarks>/evaluate/external/{task}/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(CONFIG.experiments) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=1,
    params:
        labels=lambda wildcards, input: flags("--labels", input.labels),
        embeddings=lambda wildcards, input: flags("--embeddings", input.embeddings),
        predictions=lambda wildcards, input: flags(
            "--predictions", [f"{folder}/{wildcards.task}.parquet" for folder in input.predictions]
        ),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate external \
            --head {input.head:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            {params.labels:q} \
            --split {input.split:q} \
            {params.embeddings:q} \
            {params.predictions:q} \
            --output {output:q} \
            2>>{log:q}
        """


rule evaluate_metrics:
    input:
        predictions=experiments_predictions,
        external=heads_abroad,
        near=lambda wildcards: expand(
            "<results>/cluster/external/{task}/{name}.parquet",
            task=wildcards.task,
            name=CONFIG.evaluate.external.get(wildcards.task, []),
        ),
        baselines=lambda wildcards: expand(
            "<results>/evaluate/baselines/{task}/{name}.parquet",
            task=wildcards.task,
            name=baselines_of(wildcards.task),
        ),
        split="<results>/cluster/split.parquet",
        leakage="<results>/cluster/leakage.parquet",
        labels=labelled_shards,
        targets=of_structures(TARGETS),
        alignments=of_structures(
            expand("<results>/msa/alignments/{shard}.parquet", shard=STRUCTURE_SHARDS if CONFIG.aligned else [])
        ),
        code=code("evaluate", "metrics", lambda wildcards: task_of(wildcards).level),
    output:
        expand("<results>/evaluate/tasks/{{task}}/{table}.csv", table=TABLES),
    log:
        "<logs>/evaluate/metrics/{task}.log",
    benchmark:
        "<benchmarks>/evaluate/metrics/{task}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=settings("evaluate", exclude={"external", "untrained"}),
        set=set_of,
        folder=subpath(output[0], parent=True),
        predictions=lambda wildcards, input: flags(
            "--predictions",
            [
                *(f"{folder}/{wildcards.task}.parquet" for folder in input.predictions),
                *input.baselines,
                *input.external,
            ],
        ),
        near=lambda wildcards, input: flags("--external-leakage", input.near),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        targets=lambda wildcards, input: flags("--targets", input.targets),
        alignments=lambda wildcards, input: flags("--alignments", input.alignments),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate metrics \
            {params.predictions:q} \
            --split {input.split:q} \
            --set {params.set:q} \
            --leakage {input.leakage:q} \
            {params.near:q} \
            {params.labels:q} \
            {params.targets:q} \
            {params.alignments:q} \
            --output-folder {params.folder:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule evaluate_collect:
    input:
        tables=expand(
            "<results>/evaluate/tasks/{task}/{table}.csv",
            task=EVALUATED,
            table=["metrics", "comparison", "breakdown", "notes"],
        ),
        code=code("evaluate", "collect"),
    output:
        metrics=report(
            "<results>/evaluate/metrics.csv",
            caption="../report/metrics.rst",
            category="Evaluation",
            labels={"table": "metrics"},
        ),
        comparison=report(
            "<results>/evaluate/comparison.csv",
            caption="../report/comparison.rst",
            category="Evaluation",
            labels={"table": "comparison"},
        ),
        breakdown="<results>/evaluate/breakdown.csv",
        notes="<results>/evaluate/notes.csv",
    log:
        "<logs>/evaluate/collect.log",
    benchmark:
        "<benchmarks>/evaluate/collect.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        folders=lambda wildcards, input: flags("--folder", sorted({str(Path(path).parent) for path in input.tables})),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate collect \
            {params.folders:q} \
            --output-metrics {output.metrics:q} \
            --output-comparison {output.comparison:q} \
            --output-breakdown {output.breakdown:q} \
            --output-notes {output.notes:q} \
            2>>{log:q}
        """


rule evaluate_diagnose:
    input:
        history=expand("<results>/train/{name}/history.csv", name=list(CONFIG.experiments)),
        code=code("evaluate", "diagnose"),
    output:
        "<results>/evaluate/diagnosis.csv",
    log:
        "<logs>/evaluate/diagnose.log",
    benchmark:
        "<benchmarks>/evaluate/diagnose.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        history=lambda wildcards, input: flags("--history", input.history),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate diagnose \
            {params.history:q} \
            --output {output:q} \
            2>>{log:q}
        """
