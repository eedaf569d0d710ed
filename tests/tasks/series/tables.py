"""Tables for the tests of forecasting: small, and known in advance."""

import numpy as np


def months(count, begin="2015-01"):
    return [str(np.datetime64(begin) + step) for step in range(count)]


def seasonal(count, level=100.0):
    """A year's season on a slight trend."""
    steps = np.arange(count)
    return (level + steps / 4 + level / 10 * np.sin(steps * np.pi / 6)).round(2)


def csv_of(columns):
    """The text of a CSV file."""
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""])


def one_series(count=72):
    return {"month": months(count), "sales": seasonal(count).tolist()}


def two_shops(count=60, ahead=0):
    """Two shops with a promotion that is known ahead, in long form; the sales of the last rows are not known."""
    shops, times, sales, promo = [], [], [], []
    for shop, level in (("north", 100.0), ("south", 300.0)):
        on = (np.arange(count + ahead) % 5 == 0).astype(int)
        values = [str(value) for value in (seasonal(count + ahead, level) + 20 * on).round(2)]
        shops += [shop] * (count + ahead)
        times += months(count + ahead)
        sales += values[:count] + [""] * ahead
        promo += on.tolist()
    return {"shop": shops, "month": times, "sales": sales, "promo": promo}
