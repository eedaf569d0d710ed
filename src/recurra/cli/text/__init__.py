"""`recurra text`: train a language model on text files, sample from it, and measure it."""

import typer

from recurra.cli.text.evaluate import evaluate
from recurra.cli.text.sample import sample
from recurra.cli.text.score import score
from recurra.cli.text.tokenize import tokenize
from recurra.cli.text.train import train

app = typer.Typer(help="Language models of bytes, characters, words or byte pairs.", no_args_is_help=True)
app.command()(tokenize)
app.command()(train)
app.command()(sample)
app.command("eval")(evaluate)
app.command()(score)
