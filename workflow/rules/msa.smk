"""
Msa: every chain is aligned with its homologs, and pairs of residues are scored by how they change together.

in   fetch/sequences.fasta.gz             the sequences that are searched, if the run has any
     curate/chains/<shard>.parquet        the chains (schema: foldgraft.records.chains)
     alignments that the configuration names, for the chains that one of their rows fits
out  msa/given.csv                        what each of these is used for, or why not (schema: foldgraft.records.given)
     msa/given.json                       for each shard a digest of its part of that
     msa/database/sequences*              the MMseqs2 database of the run's sequences, unless msa.database names one
     msa/alignments/<shard>.parquet       A3M, depth and Neff (schema: foldgraft.records.alignments.ALIGNMENTS)
     msa/coevolution/<shard>.parquet      a score per pair (schema: foldgraft.records.alignments.COEVOLUTION)
"""

OWN_DATABASE = CONFIG.msa.database == "sequences"
ACCOUNT = CONFIG.results / "msa/given.csv" if CONFIG.msa.alignments.files else None


def when_given(wildcards):
    """No file, but that the shard waits until the given alignments have been compared with all chains."""
    if ACCOUNT and ACCOUNT.exists():
        checkpoints.msa_given.get()
    return []


def given_digest(wildcards):
    """The digest of what is given for the shard; empty where it is not known."""
    path = ACCOUNT.with_suffix(".json") if ACCOUNT else None
    known = path and path.exists()
    return shard_digests(path, path.stat().st_mtime_ns).get(wildcards.shard, "") if known else ""


# A checkpoint, like that of embed: only a shard whose digest changes is to be searched anew.
checkpoint msa_given:
    input:
        index="<results>/curate/index.parquet",
        code=code("msa", "given"),
    output:
        given="<results>/msa/given.csv",
        digests="<results>/msa/given.json",
    log:
        "<logs>/msa/given.log",
    benchmark:
        "<benchmarks>/msa/given.tsv"
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
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa given \
            --index {input.index:q} \
            --given {output.given:q} \
            --digests {output.digests:q} \
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
        chains="<results>/curate/chains/{shard}.parquet",
        database="<results>/msa/database/sequences" if OWN_DATABASE else outside(Path(DATA) / CONFIG.msa.database),
        done=["<results>/msa/database/done.json"] if OWN_DATABASE else [],
        given=ancient("<results>/msa/given.csv") if ACCOUNT else [],
        compared=when_given,
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
        digest=given_digest,
        given=lambda wildcards, input: flags("--given", [input.given] if ACCOUNT else []),
        memory=lambda wildcards, resources: resources.mem_mb // 2,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} msa search \
            --chains {input.chains:q} \
            --database {input.database:q} \
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
