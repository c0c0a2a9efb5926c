"""Small definitions for the tests of this folder."""

import json


def step(name, arguments=None, kind="Processing", **more):
    return {"Name": name, "Type": kind, "Arguments": arguments or {}, **more}


def definition(*steps, parameters=(), **more):
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps), **more})


def get(path):
    return {"Get": path}


def equals(left, right=1):
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def condition(name, *tests, if_steps=(), else_steps=()):
    arguments = {
        "Conditions": list(tests or (equals(1),)),
        "IfSteps": list(if_steps),
        "ElseSteps": list(else_steps),
    }
    return step(name, arguments, "Condition")


def refusal(load, *arguments, error):
    """The message of the error that loading raises."""
    try:
        load(*arguments)
    except error as refused:
        return str(refused)
    raise AssertionError("nothing was refused")
