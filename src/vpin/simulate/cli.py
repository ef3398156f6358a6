"""``vpin simulate`` on the command line. Ends with 1 when something was lost, reordered or synced wrongly, 2 when it failed."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from vpin.bench.client import BenchError, Target
from vpin.bench.modes import HTTP, TLS, address
from vpin.bench.processes import Watch
from vpin.simulate.run import LOSS_SECONDS, Outcome
from vpin.simulate.run import simulate as run


def simulate(
    boards: Annotated[int, typer.Option(min=1, help="Boards, ten to an account.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.01, help="Length of the run.")] = 1.0,
    http: Annotated[str, typer.Option(help="Plain port: boards.")] = HTTP,
    tls: Annotated[str, typer.Option(help="TLS port: apps.")] = TLS,
    loss_every: Annotated[
        float, typer.Option(min=0, help="Seconds between network losses of a fifth of the boards; 0: none.")
    ] = LOSS_SECONDS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    pid: Annotated[
        list[str] | None, typer.Option(help="A process of the server whose memory is watched, as name=pid; repeatable.")
    ] = None,
) -> None:
    """Boards as their firmware speaks: sensors that drift, buttons that answer, networks that break.

    It makes accounts of its own on the server. Every number must arrive, in order, and after each reconnect the sync
    must give the values that were written last.
    """
    target = Target(address(http), address(tls), address(http))
    console = Console()
    try:
        outcome = uvloop.run(run(target, boards, minutes * 60, seed, loss_every, Watch.parse(pid or [])))
    except BenchError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    show(outcome, console)
    if outcome.faults:
        raise typer.Exit(1)


def show(outcome: Outcome, console: Console) -> None:
    """The account of a run."""
    table = Table("what", "how much", title=f"{outcome.boards} boards")
    for what, figure in outcome.figures.items():
        table.add_row(what, figure)
    console.print(table)
    for fault in outcome.faults:
        console.print(f"fault: {fault}", style="red", highlight=False)
