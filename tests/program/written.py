"""Programs written by hand, as files have them, including those that no cell's trace gives."""


def variable(name, *shape, kind="real"):
    return {"name": name, "shape": list(shape), "kind": kind}


def equation(result, operation, *operands, shape=("hidden",), kind="real", **attributes):
    """One equation; ``result`` is a name, or a list of variables."""
    results = result if isinstance(result, list) else [variable(result, *shape, kind=kind)]
    return {"operation": operation, "operands": list(operands), "results": results, "attributes": attributes}


def program(*equations, parameters=(), states=("h",), next_states=("h'",), output="h'", name="written"):
    """The content of a program; without an equation for h', it is the sum of h and h."""
    made = {result["name"] for each in equations for result in each["results"]}
    return {
        "format": "recurra-program",
        "version": 1,
        "name": name,
        "input": variable("x", "input"),
        "states": [variable(state, "hidden") for state in states],
        "parameters": list(parameters),
        "equations": [
            *equations,
            *([] if "h'" in made or "h'" not in next_states else [equation("h'", "add", "h", "h")]),
        ],
        "next_states": list(next_states),
        "output": output,
    }
