"""
Embed: every unique sequence of the run once through the frozen trunk.

in   trunk/model.safetensors, trunk/trunk.json
     fetch/labels/<shard>.parquet, curate/chains/<shard>.parquet and curate/index.parquet
out  embed/<shard>.safetensors         of each sequence the pooled embeddings of every layer, and the residue embeddings
                                       of the layers that an experiment reads (schema: foldgraft.records.embeddings)
     embed/rejects/<shard>.csv         id, rule, value, reason
     embed/repeats/<kind>.parquet      which sequences of a shard an earlier one embeds; <kind> is labels or structures
     embed/repeats/<kind>.json         for each shard a digest of its ids, its sequences, and which it leaves out

A sequence belongs to the first shard that holds it. Labels come first: solubility heads then read the shards of labels
alone. Where experiments read the residues of other layers of structures than of labels, each kind is embedded by
itself. Structures are embedded only if an experiment has the feature `embedding`, or on demand: `snakemake embed`.
"""


def kind_of(shard):
    """What a shard holds."""
    return "labels" if table_of(shard) in LABELS else "structures"


SHARED = CONFIG.residue_layers("labels") == CONFIG.residue_layers("structures")


def earlier(kind):
    """Shards of labels whose embeddings serve this kind."""
    return LABEL_SHARDS if kind == "labels" or SHARED else []


def tables(kind):
    """Tables that together hold all sequences of a kind."""
    if kind == "structures":
        return ["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else []
    return expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS)


def repeats_of(wildcards):
    """What the shard leaves to earlier ones."""
    return f"<results>/embed/repeats/{kind_of(wildcards.shard)}.parquet"


def repeats_file(wildcards):
    """The same as a file that can be looked at; the digest is beside it."""
    return CONFIG.results / "embed/repeats" / f"{kind_of(wildcards.shard)}.parquet"


def sequences_of(wildcards):
    """The table of a shard: chains of structures, or labelled sequences."""
    folder = "fetch/labels" if kind_of(wildcards.shard) == "labels" else "curate/chains"
    return f"<results>/{folder}/{wildcards.shard}.parquet"


def when_compared(wildcards):
    """No file, but that the shard waits until all tables of its kind have been compared.

    Where there is no comparison, as after one that failed, the missing table and the unknown digest ask for it:
    Snakemake takes a job that waits for a checkpoint for done if its output is there.
    """
    if repeats_file(wildcards).exists():
        checkpoints.embed_repeats.get(kind=kind_of(wildcards.shard))
    return []


def embedded(kind):
    """Files that together hold the embeddings of all sequences of a kind."""
    shards = earlier(kind) + (STRUCTURE_SHARDS if kind == "structures" else [])
    return expand("<results>/embed/{shard}.safetensors", shard=shards)


def digest_of(wildcards):
    """The digest of the shard; empty where it is not known."""
    table = repeats_file(wildcards)
    path = table.with_suffix(".json")
    known = table.exists() and path.exists()
    return shard_digests(path, path.stat().st_mtime_ns).get(wildcards.shard, "") if known else ""


# Whatever changes anywhere makes the repeats anew; but embedding is dear, so only a shard whose digest changes is to be
# embedded anew. The tables are therefore ancient, so that their times tell nothing, and the digest is a parameter; a
# checkpoint, so that Snakemake looks at it once it is made. Before that a plan counts all shards.
checkpoint embed_repeats:
    input:
        labels=lambda wildcards: expand("<results>/fetch/labels/{shard}.parquet", shard=earlier(wildcards.kind)),
        index=lambda wildcards: tables("structures") if wildcards.kind == "structures" else [],
        code=code("embed", "repeats"),
    output:
        repeats="<results>/embed/repeats/{kind}.parquet",
        digests="<results>/embed/repeats/{kind}.json",
    log:
        "<logs>/embed/repeats/{kind}.log",
    benchmark:
        "<benchmarks>/embed/repeats/{kind}.tsv"
    wildcard_constraints:
        kind="labels|structures",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        labels=lambda wildcards, input: flags("--labels", input.labels),
        index=lambda wildcards, input: flags("--index", input.index),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} embed repeats \
            {params.labels:q} \
            {params.index:q} \
            --repeats {output.repeats:q} \
            --digests {output.digests:q} \
            2>>{log:q}
        """


rule embed_shard:
    input:
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        sequences=ancient(sequences_of),
        repeats=ancient(repeats_of),
        compared=when_compared,
        code=code("embed", "shard"),
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
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=1,
    params:
        settings=settings("embed"),
        residues=lambda wildcards: flags("--residues", CONFIG.residue_layers(kind_of(wildcards.shard))),
        digest=digest_of,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} embed shard \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            --sequences {input.sequences:q} \
            --repeats {input.repeats:q} \
            --embeddings {output.embeddings:q} \
            --rejects {output.rejects:q} \
            {params.residues:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
