"""`recurra series`: train a forecaster on a table, forecast with it, and test it on the past."""

import typer

from recurra.cli.series.backtest import backtest
from recurra.cli.series.demo import demo
from recurra.cli.series.forecast import forecast
from recurra.cli.series.train import train

app = typer.Typer(help="Forecasts of tables of time series, with intervals.", no_args_is_help=True)
app.command()(train)
app.command()(forecast)
app.command()(backtest)
app.command()(demo)
