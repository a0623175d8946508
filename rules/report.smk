# What people look at. `rule report` is the default target.


rule report:
    default_target: True
    input:
        "results/report/report.html",
