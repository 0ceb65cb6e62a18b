"""
Stages: one target per stage, named like it.
"""


rule fetch:
    input:
        "<results>/fetch/lock.parquet",
        ["<results>/fetch/sequences.fasta.gz"] if CONFIG.sequences else [],
        expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),


rule curate:
    input:
        expand(
            "<results>/curate/{name}", name=["index.parquet", "rejects.csv", "atoms.csv"] if STRUCTURE_SHARDS else []
        ),


rule cluster:
    input:
        "<results>/cluster/split.parquet",
        "<results>/cluster/leakage.parquet",
        "<results>/cluster/verdict.json",
        ["<results>/cluster/structural.json"] if STRUCTURE_SHARDS else [],


rule msa:
    input:
        expand("<results>/msa/coevolution/{shard}.parquet", shard=STRUCTURE_SHARDS if CONFIG.aligned else []),


rule targets:
    input:
        expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS),


rule trunk:
    input:
        "<results>/trunk/model.safetensors",
        "<results>/trunk/trunk.json",


rule embed:
    input:
        embedded("structures"),


rule train:
    input:
        expand("<results>/train/{experiment}/head.safetensors", experiment=list(CONFIG.experiments)),


rule evaluate:
    input:
        "<results>/evaluate/metrics.csv",
        ["<results>/evaluate/diagnosis.csv"] if CONFIG.experiments else [],


rule report:
    input:
        REPORTS,
        "<results>/ro-crate-metadata.json",


rule predict:
    input:
        PREDICT_TARGETS,
