"""
Train: the heads of each experiment on the frozen trunk, and what they say of validation and test proteins.

in   cluster/split.parquet; trunk/model.safetensors, trunk/trunk.json
     fetch/labels/<shard>.parquet               for tasks of labelled tables
     targets/<shard>.parquet                    for tasks of structures
     embed/<shard>.safetensors                  for heads that read embeddings
     msa/coevolution/<shard>.parquet            for heads that read coevolution
out  train/<experiment>/head.safetensors        all members; schema: foldgraft.tasks.trained
     train/<experiment>/last.safetensors        the same after the last epoch, where head.safetensors is of the best
     train/<experiment>/history.csv             member, epoch, train_loss, valid_loss, valid_metric, lr, seconds
     train/<experiment>/experiment.yaml         the experiment with all keys resolved
     train/<experiment>/checks.json             checks before training; the trunk's hash before and after
     train/<experiment>/layers.csv              layer; metric and value on validation of a regression on it alone; share
                                                in a learnt mix; no rows for an experiment that reads one layer
     train/<experiment>/adapters/               LoRA of each member by PEFT's names, where the trunk is trained so
     train/<experiment>/predictions/            <task>.parquet of each task; schema: foldgraft.records.predictions
"""


def read_labels(wildcards):
    """The labelled table that makes the task of an experiment."""
    return LABELS.get(CONFIG.tasks(wildcards.experiment)[0].name, [])


def read_targets(wildcards):
    """Targets, if the truth of an experiment's tasks is from structures."""
    files = expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS)
    return files if CONFIG.tasks(wildcards.experiment)[0].truth == "targets" else []


def read_embeddings(wildcards):
    """Embeddings of the proteins of an experiment, if its head reads any."""
    task = CONFIG.tasks(wildcards.experiment)[0]
    kind = "labels" if task.truth == "labels" else "structures"
    return embedded(kind) if CONFIG.resolved(wildcards.experiment).embeds(task.level) else []


def read_coevolution(wildcards):
    """Coevolution of the chains of an experiment, if its features name it."""
    files = expand("<results>/msa/coevolution/{shard}.parquet", shard=STRUCTURE_SHARDS)
    return files if CONFIG.resolved(wildcards.experiment).reads("coevolution") else []


def task_settings(wildcards):
    """The tasks of an experiment as JSON."""
    return json.dumps([task.model_dump() for task in CONFIG.tasks(wildcards.experiment)])


rule train_experiment:
    input:
        split="<results>/cluster/split.parquet",
        labels=read_labels,
        targets=read_targets,
        coevolution=read_coevolution,
        embeddings=read_embeddings,
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("train", "experiment", lambda wildcards: CONFIG.tasks(wildcards.experiment)[0].level),
    output:
        head="<results>/train/{experiment}/head.safetensors",
        last="<results>/train/{experiment}/last.safetensors",
        history="<results>/train/{experiment}/history.csv",
        config="<results>/train/{experiment}/experiment.yaml",
        checks="<results>/train/{experiment}/checks.json",
        layers="<results>/train/{experiment}/layers.csv",
        adapters=directory("<results>/train/{experiment}/adapters"),
        predictions=directory("<results>/train/{experiment}/predictions"),
    log:
        "<logs>/train/{experiment}.log",
    benchmark:
        "<benchmarks>/train/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(CONFIG.experiments) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=1,
    params:
        settings=experiment_settings,
        tasks=task_settings,
        labels=lambda wildcards, input: flags("--labels", input.labels),
        targets=lambda wildcards, input: flags("--targets", input.targets),
        coevolution=lambda wildcards, input: flags("--coevolution", input.coevolution),
        embeddings=lambda wildcards, input: flags("--embeddings", input.embeddings),
        # The same head however many devices: these are of the machine, and change no lineage.
        launcher=lambda wildcards, resources: resources.get("mpi", ""),
        devices=lambda wildcards, resources: max(1, resources.gpu // resources.get("nodes", 1)),
        nodes=lambda wildcards, resources: resources.get("nodes", 1),
    shell:
        """
        {params.launcher} python -m foldgraft --made-from {params.made_from} train experiment \
            --experiment {wildcards.experiment:q} \
            --tasks {params.tasks:q} \
            --split {input.split:q} \
            {params.labels:q} \
            {params.targets:q} \
            {params.coevolution:q} \
            {params.embeddings:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            --output-head {output.head:q} \
            --output-last {output.last:q} \
            --output-history {output.history:q} \
            --output-config {output.config:q} \
            --output-checks {output.checks:q} \
            --output-layers {output.layers:q} \
            --output-adapters {output.adapters:q} \
            --output-predictions {output.predictions:q} \
            --devices {params.devices} \
            --nodes {params.nodes} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
