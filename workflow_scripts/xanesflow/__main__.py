"""`python -m xanesflow`: the same as the command `xanesflow`."""

from xanesflow.cli.commands import app

if __name__ == "__main__":
    app(prog_name="xanesflow")
