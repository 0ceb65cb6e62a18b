"""
Fetch: what the configuration names comes into the store, and the lock says what came from where.

in   the configuration's structures, sequences, solubility and labels; or synth/ for a generated proteome; or, in place of
     the network and of local files, the lock of an earlier run and the store (replay)
out  fetch/structures/<shard>.parquet     what became of each structure of the shard (schema: foldgraft.records.lock);
                                          a withdrawn entry is followed by its successors
     fetch/search.txt                     entries that a query found, one id on a line
     fetch/search.parquet                 where that list lies in the store (schema: foldgraft.records.lock)
     fetch/sequences.fasta.gz             all sequences, each id once
     fetch/sequences.parquet              where they came from (schema: foldgraft.records.lock)
     fetch/sifts.parquet                  which residues of a chain are which of UniProt (foldgraft.records.sifts)
     fetch/sifts_lock.parquet             where that came from (schema: foldgraft.records.lock)
     fetch/alignments/<shard>.parquet     with msa.database: colabfold, what its server answered for the chains of the shard
                                          (schema: foldgraft.records.lock); reads msa/queries.parquet
     fetch/labels/<shard>.parquet         labelled sequences of a table (schema: foldgraft.records.labels)
     fetch/labels/rejects/<shard>.csv     rows of the table without a usable label or sequence: id, rule, value, reason
     fetch/lock.parquet                   all pieces of the lock, and the labelled table
     the store                            the files themselves, each under the sha256 of its bytes

The only stage, beside trunk, that needs the network; local files and a replay need none. A job that may download has one
of the resource `network`: `--resources network=2` bounds how many of them run, and ask a service, at a time.
"""

SIFTS = CONFIG.structures.sifts if CONFIG.structures else None
COLABFOLD = CONFIG.msa.database == "colabfold"
SEARCHING = bool(CONFIG.structures and CONFIG.structures.rcsb.query)
BOUNDS = {"shard_size", "max_file_mb"}
REMOTE = {"max_decompressed_mb", "refreshed_after", "services"}


def fetch_settings(wildcards, input):
    """The whole section: it reads `input`, so that Snakemake forgets it, and more patience with a server reruns nothing."""
    return settings("fetch")


def of_local_files(wildcards):
    """Whether the shard is one of local files, which no service concerns."""
    return wildcards.shard.startswith("files-")


def searched(wildcards):
    return ["<results>/fetch/search.txt"] if wildcards.shard.startswith("query-") else []


def answers_digest(wildcards):
    """The digest of a shard's queries, and in a replay of the lock that answers them."""
    return queries_digest(wildcards) + (DIGESTS[wildcards.shard] if REPLAY else "")


rule fetch_search:
    input:
        synth=synth_inputs("structures"),
        replay=REPLAY,
        code=code("fetch", "search"),
    output:
        ids="<results>/fetch/search.txt",
        lock="<results>/fetch/search.parquet",
    log:
        "<logs>/fetch/search.log",
    benchmark:
        "<benchmarks>/fetch/search.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        network=1,
    params:
        structures=settings("structures", include={"files", "limit", "rcsb"}),
        services=settings("fetch", include={"refreshed_after", "services"}),
        data=DATA,
        store=STORE,
        replay=flags("--replay", REPLAY),
        known=[DIGESTS[shard] for shard in STRUCTURE_SHARDS if shard.startswith("files-")],
        settings=fetch_settings,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch search \
            --structures @/dev/stdin \
            --data {params.data:q} \
            --store {params.store:q} \
            {params.replay:q} \
            --ids {output.ids:q} \
            --lock {output.lock:q} \
            --settings {params.settings:q} \
            2>>{log:q} <<<{params.structures:q}
        """


rule fetch_structures:
    input:
        synth=synth_inputs("structures"),
        search=searched,
        replay=REPLAY,
        code=code("fetch", "structures"),
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
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
        network=lambda wildcards: 0 if of_local_files(wildcards) else 1,
    params:
        bounds=lambda wildcards: settings("fetch", include=BOUNDS if of_local_files(wildcards) else BOUNDS | REMOTE),
        data=DATA,
        store=STORE,
        source="synth" if SYNTH else "files",
        search=lambda wildcards, input: flags("--search", input.search),
        replay=flags("--replay", REPLAY),
        locations=lambda wildcards: json.dumps(LOCATIONS.get(wildcards.shard, [])),
        digest=lambda wildcards: DIGESTS[wildcards.shard],
        settings=fetch_settings,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch structures \
            --shard {wildcards.shard} \
            --locations @/dev/stdin \
            --data {params.data:q} \
            --source {params.source} \
            {params.search:q} \
            {params.replay:q} \
            --store {params.store:q} \
            --lock {output.lock:q} \
            --settings {params.settings:q} \
            2>>{log:q} <<<{params.locations:q}
        """


rule fetch_sequences:
    input:
        synth=synth_inputs("sequences.fasta.gz"),
        replay=REPLAY,
        code=code("fetch", "sequences"),
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
        runtime=lambda wildcards, attempt: 240 * attempt,
        network=1,
    params:
        sequences=settings("sequences"),
        bounds=settings("fetch", include={"max_file_mb", "refreshed_after", "services"}),
        data=DATA,
        store=STORE,
        replay=flags("--replay", REPLAY),
        digest=SEQUENCES_DIGEST,
        settings=fetch_settings,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch sequences \
            --sequences @/dev/stdin \
            --data {params.data:q} \
            {params.replay:q} \
            --store {params.store:q} \
            --fasta {output.fasta:q} \
            --lock {output.lock:q} \
            --settings {params.settings:q} \
            2>>{log:q} <<<{params.sequences:q}
        """


rule fetch_sifts:
    input:
        replay=REPLAY,
        code=code("fetch", "sifts"),
    output:
        table="<results>/fetch/sifts.parquet",
        lock="<results>/fetch/sifts_lock.parquet",
    log:
        "<logs>/fetch/sifts.log",
    benchmark:
        "<benchmarks>/fetch/sifts.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        network=1,
    params:
        sifts=SIFTS,
        bounds=settings("fetch", include={"max_file_mb", "max_decompressed_mb", "refreshed_after", "services"}),
        data=DATA,
        store=STORE,
        replay=flags("--replay", REPLAY),
        digest=SIFTS_DIGEST,
        settings=fetch_settings,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch sifts \
            --source {params.sifts:q} \
            --data {params.data:q} \
            {params.replay:q} \
            --store {params.store:q} \
            --table {output.table:q} \
            --lock {output.lock:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule fetch_alignments:
    input:
        queries=ancient("<results>/msa/queries.parquet"),
        queried=lambda wildcards: when_queried(wildcards),
        replay=REPLAY,
        code=code("fetch", "alignments"),
    output:
        lock="<results>/fetch/alignments/{shard}.parquet",
    log:
        "<logs>/fetch/alignments/{shard}.log",
    benchmark:
        "<benchmarks>/fetch/alignments/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 2880 * attempt,
        network=1,
    params:
        bounds=settings("fetch", include=BOUNDS | REMOTE),
        store=STORE,
        replay=flags("--replay", REPLAY),
        digest=answers_digest,
        settings=fetch_settings,
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch alignments \
            --queries {input.queries:q} \
            --shard {wildcards.shard} \
            {params.replay:q} \
            --store {params.store:q} \
            --lock {output.lock:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule fetch_labels:
    input:
        synth=synth_inputs("labels.csv"),
        replay=REPLAY,
        code=code("fetch", "labels"),
    output:
        labels="<results>/fetch/labels/{shard}.parquet",
        rejects="<results>/fetch/labels/rejects/{shard}.csv",
    log:
        "<logs>/fetch/labels/{shard}.log",
    benchmark:
        "<benchmarks>/fetch/labels/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        table=lambda wildcards: CONFIG.tables[table_of(wildcards.shard)].model_dump_json(),
        settings=settings("fetch", include={"label_shard_size"}),
        data=DATA,
        store=STORE,
        replay=flags("--replay", REPLAY),
        digest=lambda wildcards: PLAN.tables[table_of(wildcards.shard)],
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch labels \
            --shard {wildcards.shard} \
            --table {params.table:q} \
            --data {params.data:q} \
            --store {params.store:q} \
            {params.replay:q} \
            --labels {output.labels:q} \
            --rejects {output.rejects:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule fetch_lock:
    input:
        pieces=expand("<results>/fetch/structures/{shard}.parquet", shard=STRUCTURE_SHARDS)
        + (["<results>/fetch/search.parquet"] if SEARCHING else [])
        + (["<results>/fetch/sequences.parquet"] if CONFIG.sequences else [])
        + (["<results>/fetch/sifts_lock.parquet"] if SIFTS else [])
        + expand("<results>/fetch/alignments/{shard}.parquet", shard=STRUCTURE_SHARDS if COLABFOLD else []),
        synth=synth_inputs("labels.csv"),
        replay=REPLAY,
        code=code("fetch", "lock"),
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
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        pieces=lambda wildcards, input: flags("--piece", input.pieces),
        table=flags(
            "--table", [f"{name}={Path(DATA) / file}" for name, table in CONFIG.tables.items() for file in table.files]
        ),
        data=DATA,
        store=STORE,
        replay=flags("--replay", REPLAY),
        digest=list(PLAN.tables.values()),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} fetch lock \
            {params.pieces:q} \
            {params.table:q} \
            {params.replay:q} \
            --data {params.data:q} \
            --store {params.store:q} \
            --lock {output.lock:q} \
            2>>{log:q}
        """
