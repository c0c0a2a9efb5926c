"""The `workflows` command: its subcommands, and how faults become messages and exit codes.

Exit codes: 0 done, 1 it was tried and has failed (a pipeline, a deployment), 2 used wrongly or refused.
"""

import sys
from importlib import import_module

import click

from workflows.definition.errors import Failed, WorkflowError

_FAILED, USED_WRONGLY = 1, 2
_INTERRUPTED = 130

# name -> module and the line that `workflows --help` shows; a module is loaded when its command is used.
_COMMANDS = {
    "list": ("definition", "The pipelines."),
    "definition": ("definition", "A pipeline's compiled definition as JSON."),
    "check": ("checking", "The mistakes in a definition, before anything costs money."),
    "run": ("run", "Run a pipeline on this machine."),
    "plan": ("upserting", "What an upsert would change; nothing is written."),
    "upsert": ("upserting", "Create a pipeline, or update it where something differs."),
    "start": ("starting", "Start an execution of a pipeline that was upserted."),
    "watch": ("starting", "Follow an execution to its end."),
    "logs": ("logs", "What a step's job has written."),
    "metrics": ("logs", "Validation metrics per epoch, and a chart of them."),
    "retry": ("starting", "Let an execution that failed or was stopped go on."),
    "resume": ("resuming", "Go on with an execution that was killed, stopped or has failed."),
    "stop": ("resuming", "End a running execution."),
    "callbacks": ("callbacks", "What callback steps wait for."),
    "callback": ("callbacks", "Answer a callback step."),
    "executions": ("executions", "Executions on this machine, newest first."),
    "show": ("executions", "One execution: its steps, metrics, parameters."),
    "diff": ("history", "What differs between two executions."),
    "gc": ("garbage", "Remove executions with what only they hold; a dry run first."),
    "versions": ("history", "The versions of a pipeline."),
    "plot": ("plot", "Charts and pictures of an execution."),
    "predict": ("predict", "Ask an endpoint about pictures, and draw its answer."),
    "serve": ("serve", "Speak AWS's own APIs: SageMaker, S3, logs, events."),
    "clock": ("clock", "The time that schedules and rules go by."),
    "deploy": ("deploying", "Bring an approved version to an endpoint, and try it."),
    "rollback": ("deploying", "Bring an endpoint back to what it had before."),
    "schedule": ("schedules", "Start a pipeline again and again."),
    "schedules": ("schedules", "The schedules that start pipelines."),
    "unschedule": ("schedules", "Delete a schedule."),
    "cleanup": ("cleanup", "What a pipeline has left and nobody needs; a dry run first."),
    "endpoints": ("endpoints", "List or delete endpoints."),
    "models": ("models", "List, show, approve or reject model versions."),
    "sample": ("data", "Draw a sample data set."),
    "download": ("data", "Fetch a real data set."),
    "settings": ("settings", "Every setting and where it comes from."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"workflows.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", metavar="DIR", help="Folder of the state, instead of .workflows or WORKFLOWS_HOME.")
@click.pass_context
def workflows(ctx: click.Context, home: str | None) -> None:
    """SageMaker pipelines for computer vision, on AWS and on this machine."""
    ctx.obj = {"home": home}


def main() -> None:
    """Run the command line."""
    try:
        workflows(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(USED_WRONGLY)
    except WorkflowError as error:
        click.echo(f"ERROR {error}", err=True)
        sys.exit(_FAILED if isinstance(error, Failed) else USED_WRONGLY)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        sys.stderr.close()
        sys.exit(0)
