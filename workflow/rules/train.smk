"""
Train: a head per experiment on the frozen trunk, its members, and what they say of validation and test proteins.

in   cluster/split.parquet, fetch/labels/<shard>.parquet and the embeddings of labels       for solubility
     cluster/split.parquet, targets/<shard>.parquet and, as the features want them,
     msa/coevolution/<shard>.parquet and the embeddings of labels and structures            for contacts
     trunk/model.safetensors, trunk/trunk.json
out  train/<experiment>/head.safetensors         all members; schema: foldgraft.models.head_file
     train/<experiment>/history.csv              member, epoch, train_loss, valid_loss, valid_metric, lr, seconds
     train/<experiment>/experiment.yaml          the experiment with all keys resolved
     train/<experiment>/checks.json              checks before training; the trunk's hash before and after
     train/<experiment>/predictions.parquet      schema: foldgraft.records.predictions
"""


def wanted_by(feature, files):
    """Input function: files that a contact experiment reads only if its features name this one."""
    return lambda wildcards: files if feature in CONFIG.experiments[wildcards.experiment].features else []


rule train_solubility:
    input:
        split="<results>/cluster/split.parquet",
        labels=LABELS.get("solubility", []),
        embeddings=embedded("labels"),
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("train"),
    output:
        head="<results>/train/{experiment}/head.safetensors",
        history="<results>/train/{experiment}/history.csv",
        config="<results>/train/{experiment}/experiment.yaml",
        checks="<results>/train/{experiment}/checks.json",
        predictions="<results>/train/{experiment}/predictions.parquet",
    log:
        "<logs>/train/solubility/{experiment}.log",
    benchmark:
        "<benchmarks>/train/solubility/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(SOLUBILITY_EXPERIMENTS) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=240,
        gpu=1,
    params:
        settings=experiment_settings,
        labels=lambda wildcards, input: flags("--labels", input.labels),
        embeddings=lambda wildcards, input: flags("--embeddings", input.embeddings),
    shell:
        """
        python -m foldgraft train solubility \
            --experiment {wildcards.experiment:q} \
            --split {input.split:q} \
            {params.labels:q} \
            {params.embeddings:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            --head {output.head:q} \
            --history {output.history:q} \
            --config {output.config:q} \
            --checks {output.checks:q} \
            --predictions {output.predictions:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """


rule train_contact:
    input:
        split="<results>/cluster/split.parquet",
        targets=expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS),
        coevolution=wanted_by(
            "coevolution", expand("<results>/msa/coevolution/{shard}.parquet", shard=STRUCTURE_SHARDS)
        ),
        embeddings=wanted_by("embedding", embedded("structures")),
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("train"),
    output:
        head="<results>/train/{experiment}/head.safetensors",
        history="<results>/train/{experiment}/history.csv",
        config="<results>/train/{experiment}/experiment.yaml",
        checks="<results>/train/{experiment}/checks.json",
        predictions="<results>/train/{experiment}/predictions.parquet",
    log:
        "<logs>/train/contact/{experiment}.log",
    benchmark:
        "<benchmarks>/train/contact/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(CONTACT_EXPERIMENTS) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=480,
        gpu=1,
    params:
        settings=experiment_settings,
        targets=lambda wildcards, input: flags("--targets", input.targets),
        coevolution=lambda wildcards, input: flags("--coevolution", input.coevolution),
        embeddings=lambda wildcards, input: flags("--embeddings", input.embeddings),
    shell:
        """
        python -m foldgraft train contact \
            --experiment {wildcards.experiment:q} \
            --split {input.split:q} \
            {params.targets:q} \
            {params.coevolution:q} \
            {params.embeddings:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            --head {output.head:q} \
            --history {output.history:q} \
            --config {output.config:q} \
            --checks {output.checks:q} \
            --predictions {output.predictions:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """
