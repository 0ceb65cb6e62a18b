"""
Embed: every unique sequence of a shard once through the frozen trunk.

in   trunk/model.safetensors, trunk/trunk.json
     curate/chains/<shard>.parquet or fetch/labels/<shard>.parquet
out  embed/<shard>.safetensors     residue embeddings and their means (schema: foldgraft.records.embeddings)
     embed/rejects/<shard>.csv     id, rule, value, reason
"""


def sequences_of(wildcards):
    """The table of a shard: chains of structures, or labelled sequences."""
    folder = "fetch/labels" if wildcards.shard in LABEL_SHARDS else "curate/chains"
    return f"<results>/{folder}/{wildcards.shard}.parquet"


rule embed_shard:
    input:
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        sequences=sequences_of,
        code=code("embed"),
    output:
        embeddings="<results>/embed/{shard}.safetensors",
        rejects="<results>/embed/rejects/{shard}.csv",
    log:
        "<logs>/embed/shard/{shard}.log",
    benchmark:
        "<benchmarks>/embed/shard/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=240,
        gpu=1,
    params:
        settings=settings("embed"),
    shell:
        """
        python -m foldgraft embed shard \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            --sequences {input.sequences:q} \
            --embeddings {output.embeddings:q} \
            --rejects {output.rejects:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """
