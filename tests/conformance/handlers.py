"""Functions that stand in for those of the Lambda steps in this suite."""


def choose(event, context):
    return {
        "epochs": event["size"] * 2,
        "rate": event["half"] / 2,
        "go": event["size"] > 1,
        "who": event["name"],
    }


def pick(event, context):
    return {"first": event["folder"] + "/1.txt"}
