"""
Fetch: what the configuration names comes into the store, and the lock says what came from where.

in   the configuration's structures, sequences and solubility; or synth/ for a generated proteome
out  fetch/structures/<shard>.parquet     what became of each structure of the shard (schema: foldgraft.records.lock)
     fetch/sequences.fasta.gz             all sequences, each id once
     fetch/sequences.parquet              where they came from (schema: foldgraft.records.lock)
     fetch/labels/<shard>.parquet         labelled sequences (schema: foldgraft.records.labels)
     fetch/search.txt                     entries that a query found, one id on a line
     fetch/lock.parquet                   all pieces of the lock, and the labelled table
     the store                            the files themselves, each under the sha256 of its bytes

The only stage, beside trunk, that needs the network; local files need none.
"""


def searched(wildcards):
    return ["<results>/fetch/search.txt"] if wildcards.shard.startswith("query-") else []


rule fetch_search:
    input:
        synth=synth_inputs("structures"),
        code=code("fetch"),
    output:
        ids="<results>/fetch/search.txt",
    log:
        "<logs>/fetch/search.log",
    benchmark:
        "<benchmarks>/fetch/search.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        query=settings("structures", include={"rcsb"}),
        services=settings("fetch", include={"services"}),
        data=DATA,
        known=[DIGESTS[shard] for shard in STRUCTURE_SHARDS if shard.startswith("files-")],
    shell:
        """
        python -m foldgraft fetch search \
            --structures @/dev/stdin \
            --data {params.data:q} \
            --ids {output.ids:q} \
            --settings {FETCH:q} \
            2>{log:q} <<<{STRUCTURES:q}
        """


rule fetch_structures:
    input:
        synth=synth_inputs("structures"),
        search=searched,
        code=code("fetch"),
    output:
        lock="<results>/fetch/structures/{shard}.parquet",
    log:
        "<logs>/fetch/structures/{shard}.log",
    benchmark:
        "<benchmarks>/fetch/structures/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        bounds=settings("fetch", include={"shard_size", "max_file_mb", "max_decompressed_mb", "services"}),
        data=DATA,
        store=STORE,
        source="synth" if SYNTH else "files",
        search=lambda wildcards, input: flags("--search", input.search),
        digest=lambda wildcards: DIGESTS[wildcards.shard],
    shell:
        """
        python -m foldgraft fetch structures \
            --shard {wildcards.shard} \
            --structures @/dev/stdin \
            --data {params.data:q} \
            --source {params.source} \
            {params.search:q} \
            --store {params.store:q} \
            --lock {output.lock:q} \
            --settings {FETCH:q} \
            2>{log:q} <<<{STRUCTURES:q}
        """


rule fetch_sequences:
    input:
        synth=synth_inputs("sequences.fasta.gz"),
        code=code("fetch"),
    output:
        fasta="<results>/fetch/sequences.fasta.gz",
        lock="<results>/fetch/sequences.parquet",
    log:
        "<logs>/fetch/sequences.log",
    benchmark:
        "<benchmarks>/fetch/sequences.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=240,
    params:
        sequences=settings("sequences"),
        bounds=settings("fetch", include={"max_file_mb", "services"}),
        data=DATA,
        store=STORE,
        digest=SEQUENCES_DIGEST,
    shell:
        """
        python -m foldgraft fetch sequences \
            --sequences @/dev/stdin \
            --data {params.data:q} \
            --store {params.store:q} \
            --fasta {output.fasta:q} \
            --lock {output.lock:q} \
            --settings {FETCH:q} \
            2>{log:q} <<<{params.sequences:q}
        """


rule fetch_labels:
    input:
        synth=synth_inputs("labels.csv"),
        code=code("fetch"),
    output:
        labels="<results>/fetch/labels/{shard}.parquet",
    log:
        "<logs>/fetch/labels/{shard}.log",
    benchmark:
        "<benchmarks>/fetch/labels/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        solubility=settings("solubility"),
        settings=settings("fetch", include={"label_shard_size"}),
        data=DATA,
        digest=TABLE_DIGEST,
    shell:
        """
        python -m foldgraft fetch labels \
            --shard {wildcards.shard} \
            --solubility {params.solubility:q} \
            --data {params.data:q} \
            --labels {output.labels:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """


rule fetch_lock:
    input:
        pieces=expand("<results>/fetch/structures/{shard}.parquet", shard=STRUCTURE_SHARDS)
        + (["<results>/fetch/sequences.parquet"] if CONFIG.sequences else []),
        synth=synth_inputs("labels.csv"),
        code=code("fetch"),
    output:
        lock="<results>/fetch/lock.parquet",
    log:
        "<logs>/fetch/lock.log",
    benchmark:
        "<benchmarks>/fetch/lock.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        pieces=lambda wildcards, input: flags("--piece", input.pieces),
        table=flags("--table", [Path(DATA) / CONFIG.solubility.table] if CONFIG.solubility else []),
        data=DATA,
        store=STORE,
        digest=TABLE_DIGEST,
    shell:
        """
        python -m foldgraft fetch lock \
            {params.pieces:q} \
            {params.table:q} \
            --data {params.data:q} \
            --store {params.store:q} \
            --lock {output.lock:q} \
            2>{log:q}
        """
