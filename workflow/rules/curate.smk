"""
Curate: raw structure files become protein chains.

in   fetch/structures/<shard>.parquet     which files of the store make up the shard (schema: foldgraft.records.lock)
     fetch/sifts.parquet                  residues of UniProt entries, if the run has it (foldgraft.records.sifts)
     FASTA files                          that curate.sequences names, for files without SEQRES
     the store                            mmCIF and PDB files, each under the sha256 of its bytes
out  curate/chains/<shard>.parquet        one row per protein chain (schema: foldgraft.records.chains)
     curate/rejects/<shard>.csv           what was dropped: id, rule, value, reason
     curate/atoms/<shard>.csv             what became of the atoms of amino acids: fate, atoms, meaning
     curate/index.parquet                 all chains without their coordinates (schema: foldgraft.records.index)
     curate/rejects.csv                   all rejects
     curate/atoms.csv                     all atoms

Memory is that of one structure file and a few dozen chains, however many there are in the shard.
"""


rule curate_shard:
    input:
        lock="<results>/fetch/structures/{shard}.parquet",
        sifts=["<results>/fetch/sifts.parquet"] if SIFTS else [],
        code=code("curate", "shard"),
    output:
        chains="<results>/curate/chains/{shard}.parquet",
        rejects="<results>/curate/rejects/{shard}.csv",
        atoms="<results>/curate/atoms/{shard}.csv",
    log:
        "<logs>/curate/shard/{shard}.log",
    benchmark:
        "<benchmarks>/curate/shard/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=settings("curate"),
        store=STORE,
        data=DATA,
        digest=SUPPLIED_DIGEST,
        sifts=lambda wildcards, input: flags("--sifts", input.sifts),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} curate shard \
            --lock {input.lock:q} \
            --store {params.store:q} \
            --chains {output.chains:q} \
            --rejects {output.rejects:q} \
            --atoms {output.atoms:q} \
            --data {params.data:q} \
            {params.sifts:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule curate_summary:
    input:
        chains=expand("<results>/curate/chains/{shard}.parquet", shard=STRUCTURE_SHARDS),
        rejects=expand("<results>/curate/rejects/{shard}.csv", shard=STRUCTURE_SHARDS),
        atoms=expand("<results>/curate/atoms/{shard}.csv", shard=STRUCTURE_SHARDS),
        code=code("curate", "summary"),
    output:
        index="<results>/curate/index.parquet",
        rejects="<results>/curate/rejects.csv",
        atoms="<results>/curate/atoms.csv",
    log:
        "<logs>/curate/summary.log",
    benchmark:
        "<benchmarks>/curate/summary.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        chains=lambda wildcards, input: flags("--chains", input.chains),
        rejects=lambda wildcards, input: flags("--rejects", input.rejects),
        atoms=lambda wildcards, input: flags("--atoms", input.atoms),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} curate summary \
            {params.chains:q} \
            {params.rejects:q} \
            {params.atoms:q} \
            --index {output.index:q} \
            --rejects-out {output.rejects:q} \
            --atoms-out {output.atoms:q} \
            2>>{log:q}
        """
