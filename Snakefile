# Lets `snakemake` run from here; the workflow itself is where the Snakemake catalog looks for it.
include: "workflow/Snakefile"


rule default:
    input:
        rules.all.input,
