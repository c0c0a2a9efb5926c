"""Settings from flags, environment, workflows.toml and defaults, in this order; each knows its origin."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.definition.errors import WorkflowError, did_you_mean

FILE_NAME = "workflows.toml"
DEFAULT = "default"
_TABLES = ("images", "functions", "silence")
LOCAL_ACCOUNT = "000000000000"


class SettingsError(WorkflowError):
    """A setting is unknown or has the wrong type."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: what it is for, the environment variables that may hold it, and its default."""

    name: str
    text: str
    variables: tuple[str, ...]
    default: str


@dataclass(frozen=True, kw_only=True)
class Value:
    """A setting's value and its origin."""

    value: str
    origin: str


# The variables of AWS's SageMaker project template are among these.
SETTINGS = (
    Setting(
        name="home",
        text="folder of everything that this machine remembers",
        variables=("WORKFLOWS_HOME",),
        default=".workflows",
    ),
    Setting(
        name="on",
        text="where commands work: local (this machine) or aws",
        variables=("WORKFLOWS_ON",),
        default="local",
    ),
    Setting(
        name="region",
        text="AWS region that definitions are compiled for",
        variables=("AWS_REGION", "AWS_DEFAULT_REGION"),
        default="us-east-1",
    ),
    Setting(
        name="role",
        text="full ARN of the role that pipelines take, and their jobs unless job_role is set",
        variables=("SAGEMAKER_PIPELINE_ROLE_ARN",),
        default=f"arn:aws:iam::{LOCAL_ACCOUNT}:role/workflows",
    ),
    Setting(
        name="job_role",
        text="full ARN of the role that jobs and models take, where the pipeline's is another one",
        variables=("JOB_ROLE_ARN",),
        default="",
    ),
    Setting(
        name="scheduler_role",
        text="full ARN of the role that EventBridge Scheduler takes to start pipelines",
        variables=("SCHEDULER_ROLE_ARN",),
        default="",
    ),
    Setting(
        name="bucket",
        text="bucket of inputs and outputs",
        variables=("ARTIFACT_BUCKET",),
        default="workflows-artifacts",
    ),
    Setting(
        name="project_name",
        text="name of the SageMaker project, for the tags of pipelines",
        variables=("SAGEMAKER_PROJECT_NAME",),
        default="",
    ),
    Setting(
        name="project_id",
        text="id of the SageMaker project, for the tags of pipelines",
        variables=("SAGEMAKER_PROJECT_ID",),
        default="",
    ),
    Setting(
        name="prices",
        text="file with the prices of instances, instead of the table that `workflows check` brings",
        variables=("WORKFLOWS_PRICES",),
        default="",
    ),
    Setting(
        name="require_kms_keys",
        text="yes: a check finds whatever is stored without a KMS key of your own",
        variables=("WORKFLOWS_REQUIRE_KMS_KEYS",),
        default="",
    ),
    Setting(
        name="pretrained_models",
        text="folder with resnet-50-0000.params and vgg-16-0000.params, for UsePretrainedModel=1 here",
        variables=("PRETRAINED_MODELS_DIR",),
        default="",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its value and origin."""

    values: Mapping[str, Value]
    # Tables of workflows.toml; the first two in the form of local/stand_ins.toml.
    images: Mapping[str, Any]
    functions: Mapping[str, Any]
    silence: Mapping[str, str]  # of a check: identifier -> why

    def __getitem__(self, name: str) -> str:
        return self.values[name].value

    @property
    def home(self) -> Path:
        """The state's folder, absolute."""
        return Path(self["home"]).absolute()

    @property
    def job_role(self) -> str:
        """The role that jobs and models take."""
        return self["job_role"] or self["role"]

    @property
    def account(self) -> str:
        """The account in the role's ARN."""
        parts = self["role"].split(":")
        return parts[4] if len(parts) > 5 and parts[4] else LOCAL_ACCOUNT


def load(*, flags: Mapping[str, str | None], environment: Mapping[str, str], folder: Path) -> Settings:
    """Read all settings.

    Args:
        flags: name -> value given on the command line, or None.
        environment: such as os.environ.
        folder: where workflows.toml may be.

    Raises:
        SettingsError: workflows.toml is not TOML, or holds an unknown setting or a value of a wrong type.
    """
    file = folder / FILE_NAME
    document = _read(file)
    values = {
        setting.name: _value(setting, flags, environment, document, str(file.name)) for setting in SETTINGS
    }
    tables = {name: document.get(name, {}) for name in _TABLES}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: [{name}] must be a table")
    for name, reason in tables["silence"].items():
        if not isinstance(reason, str):
            raise SettingsError(f"{file}: [silence] {name} must be a string: the reason")
    return Settings(values=values, **tables)


def _value(
    setting: Setting,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    document: Mapping[str, Any],
    file: str,
) -> Value:
    flag = flags.get(setting.name)
    if flag:
        return Value(value=flag, origin=f"--{setting.name}")
    for variable in setting.variables:
        if environment.get(variable):
            return Value(value=environment[variable], origin=variable)
    if setting.name in document:
        return Value(value=document[setting.name], origin=file)
    return Value(value=setting.default, origin=DEFAULT)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from None
    known: list[str] = [setting.name for setting in SETTINGS]
    for name, value in document.items():
        if name not in _TABLES and name not in known:
            raise SettingsError(
                f"{file}: no setting is named '{name}'{did_you_mean(name, [*known, *_TABLES])}"
            )
        if name not in _TABLES and not isinstance(value, str):
            raise SettingsError(f"{file}: {name} must be a string")
    return document
