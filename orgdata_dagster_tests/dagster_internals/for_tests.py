"""The private parts of Dagster that tests need and that have no public counterpart.

Here: every one of them, so that an upgrade of Dagster that moves them affects one file. They create runs without
executing them, tell a run where it came from, store ticks and heartbeats as the daemon would, and read `dagster.yaml`
as Dagster does. Keep out: what the package uses (orgdata_dagster/dagster_internals/), whose tests are beside this
module.
"""

from dagster._config import process_config, resolve_to_config_type
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import WorkerStatus
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import create_run_for_test
from dagster._core.utils import make_new_run_id
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

__all__ = [
    "DaemonHeartbeat",
    "GrpcServerCodeLocationOrigin",
    "InstanceRef",
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorType",
    "QueuedRunCoordinator",
    "RegisteredCodeLocationOrigin",
    "RemoteInstigatorOrigin",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "SensorInstigatorData",
    "SerializableErrorInfo",
    "TickData",
    "TickStatus",
    "WorkerStatus",
    "create_run_for_test",
    "make_new_run_id",
    "process_config",
    "resolve_to_config_type",
]
