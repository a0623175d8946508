# Beside the stages: which structures measured spectra belong to. Only made if `measured.files` is set.
from xanesflow.structures.list_files import states_of_candidates


rule measured:
    input:
        paths.MATCHES,


rule match_spectra:
    input:
        files=lambda wildcards: or_workflow_error(CONFIG.measured.scans),
        candidates=[each for each in CONFIG.measured.candidate_names if Path(each).is_file()],
    output:
        ranking=paths.MATCHES,
        record=paths.MATCHES_RECORD,
        left_out=paths.UNMATCHED_SCANS,
        figures=directory(paths.MATCH_FIGURES),
    log:
        log_of("match_spectra"),
    benchmark:
        benchmark_of("match_spectra")
    conda:
        "../envs/xanesflow.yaml"
    threads: 4
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(240),
    params:
        candidates=CONFIG.measured.candidate_names,
        given=CONFIG.measured.model_dump(include={"element", "theory", "contains", "max_atoms"}),
        state=lambda wildcards: or_workflow_error(
            states_of_candidates, CONFIG.measured.candidate_names
        ),
        kept=paths.MATCHED_SPECTRA_KEPT,
    message:
        "Comparing the measured spectra with their candidates"
    script:
        "../workflow_scripts/match_spectra.py"
