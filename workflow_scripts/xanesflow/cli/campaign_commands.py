"""The commands around a campaign, and their options. They import their code only when they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.options import AsJson, working_directory
from xanesflow.cli.terminal import messages, print_result, report_errors, results
from xanesflow.core.text import plural

SameDirectory = Annotated[Path | None, typer.Option("--directory", "-d", metavar="DIR", help="The same as DIRECTORY.")]


@report_errors()
def demo(
    *,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Folder for all files; made if missing.")
    ] = Path("demo"),
    cores: Annotated[
        int | None, typer.Option("--cores", "-c", metavar="N", min=1, help="Cores to use; by default all.")
    ] = None,
) -> None:
    """Run the whole workflow on well-known structures, from crystal structures to a trained model and a report.

    It takes some minutes. After a stop or a failure, the same command continues where it was.
    """
    from xanesflow.cli.demo import run_demo

    sys.exit(run_demo(directory, cores=cores, console=results(), errors=messages()))


@report_errors()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign; made if missing.")],
) -> None:
    """Write a campaign of your own: a configuration that you can run at once, and a Snakefile. Overwrites nothing.

    Example: xanesflow init my_campaign
    """  # fmt: skip
    from xanesflow.cli.init import write_campaign

    names = write_campaign(directory)
    print_result(f"Written into {directory}: {', '.join(names)}.")
    print_result(
        f"You can run it at once; config.yaml shows the other ways to start. Next: cd {directory} && snakemake -n"
    )


@report_errors()
def unpack(
    zips: Annotated[
        list[Path], typer.Argument(metavar="ZIP...", help="Packed chunks, as results/inputs/Ti_VASP/*.zip.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to unpack into; made if missing.")],
    potcar: Annotated[
        bool, typer.Option("--potcar", help="Join POTCARs for VASP, from the library that PMG_VASP_PSP_DIR names.")
    ] = False,
) -> None:
    """Unpack input files into plain folders, to submit them by hand. Overwrites nothing.

    Example: xanesflow unpack results/inputs/Ti_FEFF/*.zip --out runs
    """  # fmt: skip
    from xanesflow.inputs.unpack import unpack as lay_out

    written, there = lay_out(zips, out, potcar=potcar)
    print_result(f"{plural(written, 'file')} written to {out}" + (f", {there} were there before" if there else ""))


@report_errors()
def status(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIRECTORY]", help="The campaign's working directory.")
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Update the display until Ctrl-C.")] = False,
    as_json: AsJson = False,
    directory_option: SameDirectory = None,
) -> None:
    """Show the progress of a campaign: sites done, at work and failed, core hours, and when it will end.

    It only reads the working directory, so you can call it at any time, even while the campaign runs on a cluster.
    """
    from xanesflow.cli.status import show_status

    show_status(working_directory(directory, directory_option), watch=watch, as_json=as_json)


@report_errors()
def retry(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIRECTORY] [SUBSET...]",
            help="The campaign's working directory; only of these subsets, as Cu_FEFF.",
        ),
    ] = None,
    *,
    reason: Annotated[
        list[str] | None, typer.Option("--reason", "-r", help="Only sites that failed for this; may be repeated.")
    ] = None,
    site: Annotated[
        list[str] | None, typer.Option("--site", "-s", help="Only this site, as mp-390_000; may be repeated.")
    ] = None,
    directory: SameDirectory = None,
) -> None:
    """Mark failed sites, so that the next call of Snakemake computes them again, and no others.

    Example: xanesflow retry Cu_FEFF --reason timed_out
    """
    from xanesflow.cli.retry import directory_and_subsets, mark

    folder, subsets = directory_and_subsets(words or [], directory)
    mark(folder, subsets, reasons=reason or [], sites=site or [])


@report_errors()
def plan(
    *,
    subset: Annotated[str, typer.Option("--subset", "-s", metavar="SUBSET", help="As Cu_FEFF.")],
    budget: Annotated[int, typer.Option("--budget", "-b", metavar="N", min=1, help="How many sites.")],
    features: Annotated[
        list[str] | None,
        typer.Option("--features", "-f", help="Features to use; may be repeated. By default the campaign's."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default results/plan/SUBSET.csv.")
    ] = None,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="The campaign's working directory.")
    ] = Path(),
) -> None:
    """Choose the sites that are worth an expensive run, from features and from the cheap runs that exist.

    Example: snakemake features, then xanesflow plan --subset Cu_FEFF --budget 200
    """
    from xanesflow.cli.plan import show_plan

    show_plan(directory, subset, budget, features=features or [], output=output)


@report_errors()
def check(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Runs, or folders with runs at any depth.")
    ],
    *,
    workers: Annotated[int, typer.Option("--workers", "-w", metavar="N", min=1, help="Processes that read runs.")] = 1,
    refused: Annotated[bool, typer.Option("--refused", help="List only the runs that are refused.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check whether finished runs of any code are good, and say what they are, or why not. Exit code 0 only if all are.

    It reads FEFF 9 and 10, VASP, OCEAN, exciting, XSpectra and FDMNES. FEFF itself ends with exit code 0 after most of
    its failures. For VASP, the core hole steps are checked, each with its ground state.

    Example: xanesflow check runs/Cu
    """  # fmt: skip
    from xanesflow.cli.check import show_check

    if not show_check(folders, workers=workers, refused_only=refused, as_json=as_json):
        sys.exit(1)


profile_app = typer.Typer(no_args_is_help=True, help="Profiles: how Snakemake runs the workflow's jobs on a cluster.")


@profile_app.callback()
def _profile() -> None:
    """Make `profile` a group of commands, since there may be more than one."""


@profile_app.command("install")
@report_errors()
def install_profile(
    name: Annotated[Literal["slurm"], typer.Argument(metavar="NAME", help="slurm")],
    *,
    partition: Annotated[
        str | None, typer.Option("--partition", "-p", help="For all jobs; by default the cluster's default partition.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "-A", help="Account to charge; by default your default one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace another profile with this name.")] = False,
) -> None:
    """Write a profile with your cluster's values into your Snakemake folder, for `snakemake --profile slurm`.

    Example: xanesflow profile install slurm --partition batch --account my_project
    """  # fmt: skip
    from snakemake.common import get_appdirs

    from xanesflow.cli.profile import install_slurm

    folder = Path(get_appdirs().user_config_dir)
    path, remarks = install_slurm(folder, partition=partition, account=account, force=force)
    for sentence in (f"Written: {path}", *remarks, f"Use it in any directory: snakemake --profile {name}"):
        print_result(sentence)
