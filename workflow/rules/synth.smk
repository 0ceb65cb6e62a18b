"""
Synth: a synthetic proteome whose truth is known, the input of a run that needs no network.

in   the settings, a seed among them
out  synth/structures/<entry>.cif.gz    protein families as deposited structures, with the quirks of real ones
     synth/sequences.fasta.gz           homologs of all families, to be searched
     synth/labels.csv                   id, sequence, solubility (0 or 1)
     synth/constructs.fasta             new sequences to predict for
     synth/truth.json                   contacts, secondary structure, quirks, and how well labels can be known
cost half a minute on one core with the default settings
"""


rule synth_proteome:
    input:
        code=code("synth", "proteome"),
    output:
        structures=directory("<results>/synth/structures"),
        sequences="<results>/synth/sequences.fasta.gz",
        labels="<results>/synth/labels.csv",
        constructs="<results>/synth/constructs.fasta",
        truth="<results>/synth/truth.json",
    log:
        "<logs>/synth/proteome.log",
    benchmark:
        "<benchmarks>/synth/proteome.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=settings("synth"),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} synth proteome \
            --structures {output.structures:q} \
            --sequences {output.sequences:q} \
            --labels {output.labels:q} \
            --constructs {output.constructs:q} \
            --truth {output.truth:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
