"""
Msa: every sequence is aligned with its homologs, and pairs of residues are scored by how they change together.

in   fetch/sequences.fasta.gz             the sequences that are searched, if the run has any
     curate/index.parquet                 the chains of all shards (schema: foldgraft.records.index)
     fetch/alignments/<shard>.parquet     in place of a search, what ColabFold's server answered
     alignments that the configuration names, for the chains that one of their rows fits
out  msa/queries.parquet                  which shard aligns which sequence (foldgraft.records.alignments.QUERIES)
     msa/queries.json                     for each shard a digest of its part of that, and of what is given for it
     msa/given.csv                        what each given alignment is used for, or why not (foldgraft.records.given)
     msa/database/sequences*              the MMseqs2 database of the run's sequences, unless msa.database names one
     msa/alignments/<shard>.parquet       A3M, depth and Neff (schema: foldgraft.records.alignments.ALIGNMENTS)
     msa/coevolution/<shard>.parquet      a score per pair (schema: foldgraft.records.alignments.COEVOLUTION)

A sequence belongs to the first shard that holds it, and has one row there, whichever chains and shards hold it again.
"""

OWN_DATABASE = CONFIG.msa.database == "sequences"
GIVEN = ["<results>/msa/given.csv"] if CONFIG.msa.alignments.files else []
QUERIES = CONFIG.results / "msa/queries.parquet"


def searched_database(wildcards):
    """The database that is searched, if any is."""
    if COLABFOLD:
        return []
    return "<results>/msa/database/sequences" if OWN_DATABASE else outside(Path(DATA) / CONFIG.msa.database)


def when_queried(wildcards):
    """No file, but that the shard waits until the sequences of all chains are known; see `when_compared`."""
    if QUERIES.exists():
        checkpoints.msa_queries.get()
    return []


def queries_digest(wildcards):
    """The digest of the shard's queries; empty where it is not known."""
    path = QUERIES.with_suffix(".json")
    known = QUERIES.exists() and path.exists()
    return shard_digests(path, path.stat().st_mtime_ns).get(wildcards.shard, "") if known else ""


# A checkpoint, like that of embed: only a shard whose digest changes is to be searched anew.
checkpoint msa_queries:
    input:
        index="<results>/curate/index.parquet",
        code=code("msa", "queries"),
    output:
        given=GIVEN,
        queries="<results>/msa/queries.parquet",
        digests="<results>/msa/queries.json",
    log:
        "<logs>/msa/queries.log",
    benchmark:
        "<benchmarks>/msa/queries.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("msa", include={"alignments"}),
        data=DATA,
        digest=ALIGNMENT_DIGEST,
        given=lambda wildcards, output: flags("--given", output.given),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa queries \
            --index {input.index:q} \
            --queries {output.queries:q} \
            --digests {output.digests:q} \
            {params.given:q} \
            --data {params.data:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule msa_database:
    input:
        sequences=["<results>/fetch/sequences.fasta.gz"] if CONFIG.sequences else [],
        code=code("msa", "database"),
    output:
        database="<results>/msa/database/sequences",
        done="<results>/msa/database/done.json",
    log:
        "<logs>/msa/database.log",
    benchmark:
        "<benchmarks>/msa/database.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        sequences=lambda wildcards, input: flags("--sequences", input.sequences),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa database \
            {params.sequences:q} \
            --database {output.database:q} \
            --done {output.done:q} \
            2>>{log:q}
        """


rule msa_search:
    input:
        queries=ancient("<results>/msa/queries.parquet"),
        queried=when_queried,
        database=searched_database,
        fetched="<results>/fetch/alignments/{shard}.parquet" if COLABFOLD else [],
        done=["<results>/msa/database/done.json"] if OWN_DATABASE else [],
        given=[ancient(path) for path in GIVEN],
        code=code("msa", "search"),
    output:
        alignments="<results>/msa/alignments/{shard}.parquet",
    log:
        "<logs>/msa/search/{shard}.log",
    benchmark:
        "<benchmarks>/msa/search/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("msa", exclude={"coevolution": {"method", "max_length"}}),
        data=DATA,
        digest=queries_digest,
        given=lambda wildcards, input: flags("--given", input.given),
        source=lambda wildcards, input: (
            ["--fetched", input.fetched, "--store", STORE] if COLABFOLD else ["--database", input.database]
        ),
        memory=lambda wildcards, resources: resources.mem_mb // 2,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa search \
            --queries {input.queries:q} \
            --shard {wildcards.shard} \
            {params.source:q} \
            {params.given:q} \
            --alignments {output.alignments:q} \
            --data {params.data:q} \
            --memory {params.memory} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule msa_coevolution:
    input:
        alignments="<results>/msa/alignments/{shard}.parquet",
        code=code("msa", "coevolution"),
    output:
        coevolution="<results>/msa/coevolution/{shard}.parquet",
    log:
        "<logs>/msa/coevolution/{shard}.log",
    benchmark:
        "<benchmarks>/msa/coevolution/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        settings=settings("msa", include={"coevolution"}),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa coevolution \
            --alignments {input.alignments:q} \
            --coevolution {output.coevolution:q} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
