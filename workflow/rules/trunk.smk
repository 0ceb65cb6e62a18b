"""
Trunk: the language model that all heads stand on; one of three rules, as the configuration says.

in   nothing (download), the file that trunk.checkpoint names (convert), or, to pretrain,
     fetch/sequences.fasta.gz, and cluster/split.parquet with curate/index.parquet and fetch/labels/<shard>.parquet:
     what is near a protein of the test split is not learnt from
out  trunk/model.safetensors     the tensors, by fair-esm's names
     trunk/trunk.json            name, architecture, source, sha256 of the tensors; a pretraining's figures
     trunk/history.csv           (pretrain) step, seconds, tokens, learning_rate, train_loss, valid_perplexity
"""

if CONFIG.trunk.source == "model":

    rule trunk_download:
        input:
            code=code("trunk"),
        output:
            weights="<results>/trunk/model.safetensors",
            description="<results>/trunk/trunk.json",
        log:
            "<logs>/trunk/download.log",
        benchmark:
            "<benchmarks>/trunk/download.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=120,
        params:
            settings=settings("trunk"),
            downloads=Path(STORE) / "trunks",
        shell:
            """
            python -m foldgraft trunk download \
                --downloads {params.downloads:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                --settings {params.settings:q} \
                2>{log:q}
            """


if CONFIG.trunk.source == "checkpoint":

    rule trunk_convert:
        input:
            checkpoint=Path(DATA) / CONFIG.trunk.checkpoint,
            code=code("trunk"),
        output:
            weights="<results>/trunk/model.safetensors",
            description="<results>/trunk/trunk.json",
        log:
            "<logs>/trunk/convert.log",
        benchmark:
            "<benchmarks>/trunk/convert.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=30,
        shell:
            """
            python -m foldgraft trunk convert \
                --checkpoint {input.checkpoint:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                2>{log:q}
            """


if CONFIG.trunk.source == "pretrain":

    rule trunk_pretrain:
        input:
            sequences="<results>/fetch/sequences.fasta.gz",
            split="<results>/cluster/split.parquet",
            index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
            labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
            code=code("trunk"),
        output:
            weights="<results>/trunk/model.safetensors",
            description="<results>/trunk/trunk.json",
            history="<results>/trunk/history.csv",
        log:
            "<logs>/trunk/pretrain.log",
        benchmark:
            "<benchmarks>/trunk/pretrain.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 2
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=480,
            gpu=1,
        params:
            settings=settings("trunk"),
            index=lambda wildcards, input: flags("--index", input.index),
            labels=lambda wildcards, input: flags("--labels", input.labels),
        shell:
            """
            python -m foldgraft trunk pretrain \
                --sequences {input.sequences:q} \
                --split {input.split:q} \
                {params.index:q} \
                {params.labels:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                --history {output.history:q} \
                --settings {params.settings:q} \
                2>{log:q}
            """
